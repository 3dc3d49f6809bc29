/** @file The autoencoder's training step in tfjs, eager, with `variableGrads` and its own Adam; layers as in @transfusion/vae. */
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { KlConfig } from '@transfusion/vae';
import type { EngineApis } from '../../engines/engine.js';
import { convolve, convolveConstant, dense } from '../../engines/tfjs-convolution.js';
import { fastestProduct, type Product } from '../../engines/tfjs-product.js';
import type { Task } from '../row.js';
import { stepTask } from '../step-task.js';
import {
  type AutoencoderProblem,
  checkedNumbers,
  imageShape,
  KL_WEIGHT,
  LEARNING_RATE,
  latentNoise,
  latentShape,
  OPTIMIZER,
} from './problem.js';
import { groupNorm, silu, upsample } from './tfjs-layers.js';

type Tf = EngineApis['tfjs']['tf'];

interface Model {
  tf: Tf;
  product: Product;
  config: KlConfig;
  /** By path; linear layers [inputs, outputs]. */
  weights: ReadonlyMap<string, Variable>;
}

export async function tfjsAutoencoderStep({ tf }: EngineApis['tfjs'], problem: AutoencoderProblem): Promise<Task> {
  const weights = new Map(
    [...problem.weights].map(([path, { shape, data }]) => {
      const tensor = tf.tidy(() => {
        const stored = tf.tensor(data, [...shape]);
        return shape.length === 2 ? tf.transpose(stored) : stored;
      });
      return [path, tf.variable(tensor, true, path)];
    }),
  );
  const model: Model = { tf, product: fastestProduct(tf), config: problem.config, weights };
  const images = tf.tensor4d(problem.images, imageShape(problem));
  const noise = tf.tensor4d(latentNoise(problem), latentShape(problem));
  const { beta1, beta2, epsilon } = OPTIMIZER;
  const optimizer = tf.train.adam(LEARNING_RATE, beta1, beta2, epsilon);
  return stepTask(async () => {
    const metrics = tf.tidy(() => {
      let parts: Tensor[] = [];
      const objective = () => {
        parts = losses(model, images, noise).map((loss) => tf.keep(loss));
        return tf.add(parts[0], parts[1]) as Scalar;
      };
      const { grads } = tf.variableGrads(objective, [...weights.values()]);
      const norm = tf.sqrt(tf.addN(Object.values(grads).map((gradient) => tf.sum(tf.square(gradient)))));
      optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
      const result = tf.stack([...parts, norm]);
      tf.dispose(parts);
      return result;
    });
    const [l1, kl, norm] = await metrics.data();
    metrics.dispose();
    return checkedNumbers({ l1, kl, norm });
  });
}

/** L1 and the weighted divergence of the posterior. */
function losses(model: Model, images: Tensor, noise: Tensor): [Tensor, Tensor] {
  const { tf } = model;
  const [mean, unbounded] = tf.split(convolution(model, 'quant_conv', encoder(model, images)), 2, -1);
  const logVariance = tf.clipByValue(unbounded, -30, 20);
  const latents = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise));
  const reconstruction = decoder(model, convolution(model, 'post_quant_conv', latents));
  const divergences = tf.sub(tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), 1), logVariance);
  return [
    tf.mean(tf.abs(tf.sub(reconstruction, images))),
    tf.mul(tf.sum(divergences), (0.5 * KL_WEIGHT) / images.shape[0]),
  ];
}

function encoder(model: Model, images: Tensor): Tensor {
  const { block_out_channels, layers_per_block } = model.config;
  const last = block_out_channels.length - 1;
  let x = convolveConstant(model.tf, convolutionWeights(model, 'encoder.conv_in'), images);
  for (let level = 0; level <= last; level++) {
    const path = `encoder.down_blocks.${level}`;
    for (let i = 0; i < layers_per_block; i++) x = resnet(model, `${path}.resnets.${i}`, x);
    if (level < last) x = convolution(model, `${path}.downsamplers.0.conv`, x, 2);
  }
  return convolveLast(model, 'encoder', midBlock(model, 'encoder.mid_block', x));
}

function decoder(model: Model, latents: Tensor): Tensor {
  const { block_out_channels, layers_per_block } = model.config;
  const last = block_out_channels.length - 1;
  let x = convolution(model, 'decoder.conv_in', latents);
  x = midBlock(model, 'decoder.mid_block', x);
  for (let level = 0; level <= last; level++) {
    const path = `decoder.up_blocks.${level}`;
    for (let i = 0; i <= layers_per_block; i++) x = resnet(model, `${path}.resnets.${i}`, x);
    if (level < last) x = convolution(model, `${path}.upsamplers.0.conv`, upsample(model.tf, x));
  }
  return convolveLast(model, 'decoder', x);
}

function convolveLast(model: Model, path: string, x: Tensor): Tensor {
  return convolution(model, `${path}.conv_out`, normSilu(model, `${path}.conv_norm_out`, x));
}

function midBlock(model: Model, path: string, input: Tensor): Tensor {
  const x = resnet(model, `${path}.resnets.0`, input);
  return resnet(model, `${path}.resnets.1`, attention(model, `${path}.attentions.0`, x));
}

function resnet(model: Model, path: string, x: Tensor): Tensor {
  const hidden = convolution(model, `${path}.conv1`, normSilu(model, `${path}.norm1`, x));
  const residual = convolution(model, `${path}.conv2`, normSilu(model, `${path}.norm2`, hidden));
  const shortcut = `${path}.conv_shortcut`;
  return model.tf.add(model.weights.has(`${shortcut}.weight`) ? convolution(model, shortcut, x) : x, residual);
}

/** Of every position to all of its image, one head as wide as the channels. */
function attention(model: Model, path: string, x: Tensor): Tensor {
  const { tf, product } = model;
  const [batch, height, width, channels] = x.shape;
  const linear = (name: string, rows: Tensor) =>
    dense(tf, weight(model, `${path}.${name}.weight`), weight(model, `${path}.${name}.bias`), rows);
  const rows = tf.reshape(norm(model, `${path}.group_norm`, x), [-1, channels]);
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map((name) =>
    tf.reshape(linear(name, rows), [batch, height * width, channels]),
  );
  const scores = product(tf.mul(q, 1 / Math.sqrt(channels)), tf.transpose(k, [0, 2, 1]));
  const mixed = tf.reshape(product(tf.softmax(scores), v), [-1, channels]);
  return tf.add(x, tf.reshape(linear('to_out.0', mixed), x.shape));
}

function normSilu(model: Model, path: string, x: Tensor): Tensor {
  return silu(model.tf, norm(model, path, x));
}

function norm(model: Model, path: string, x: Tensor): Tensor {
  const [gain, bias] = ['weight', 'bias'].map((name) => weight(model, `${path}.${name}`));
  return groupNorm(model.tf, { gain, bias, groups: model.config.norm_num_groups }, x);
}

function convolution(model: Model, path: string, x: Tensor, stride: 1 | 2 = 1): Tensor {
  return convolve(model.tf, { ...convolutionWeights(model, path), stride }, x);
}

function convolutionWeights(model: Model, path: string) {
  return { filter: weight(model, `${path}.weight`), bias: weight(model, `${path}.bias`) };
}

function weight({ weights }: Model, path: string): Tensor {
  return weights.get(path) as Tensor;
}
