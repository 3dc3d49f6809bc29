/** @file The training step in tfjs, eager, with `variableGrads`. */

import type { Scalar, Tensor, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import { adamwHyper } from '@transfusion/nn';
import type { EngineApis } from '../../engines/engine.js';
import { fastestProduct, type Product } from '../../engines/tfjs-product.js';
import type { Task } from '../row.js';
import { stepTask } from '../step-task.js';
import { type DenseWeight, denseBatch, denseWeights, HEAD_DIM, sections } from './dense.js';
import {
  IMAGES_PER_ROW,
  LAMBDA,
  LAYOUT,
  LEARNING_RATE,
  LENGTH,
  MAX_GRADIENT_NORM,
  MODEL,
  OPTIMIZER,
  PATCHES,
  type TrainStepProblem,
} from './problem.js';

type Tf = EngineApis['tfjs']['tf'];

interface Model {
  tf: Tf;
  product: Product;
  /** By path. */
  weights: ReadonlyMap<string, Tensor>;
}

type Batch = ReturnType<typeof batchTensors>;

interface OptimizerState {
  weight: DenseWeight;
  parameter: Variable;
  m: Variable;
  v: Variable;
}

export async function tfjsTrainStep({ tf }: EngineApis['tfjs'], problem: TrainStepProblem): Promise<Task> {
  const states = denseWeights(problem).map((weight): OptimizerState => {
    const create = (name: string, value: Tensor) => tf.variable(value, true, `${name}.${weight.path}`);
    return {
      weight,
      parameter: create('parameters', tf.tensor(weight.data, weight.shape)),
      m: create('m', tf.zeros(weight.shape)),
      v: create('v', tf.zeros(weight.shape)),
    };
  });
  const weights = new Map(states.map(({ weight, parameter }) => [weight.path, parameter as Tensor]));
  const model: Model = { tf, product: fastestProduct(tf), weights };
  const batch = batchTensors(tf, problem);
  return stepTask(async (number) => {
    const [learningRate, bias1, bias2] = adamwHyper({ ...OPTIMIZER, learningRate: LEARNING_RATE, step: number });
    const metrics = tf.tidy(() => {
      let parts: Tensor[] = [];
      const objective = () => {
        parts = losses(model, batch, problem.rows).map((loss) => tf.keep(loss));
        return tf.add(parts[0], tf.mul(parts[1], LAMBDA)) as Scalar;
      };
      const { grads } = tf.variableGrads(
        objective,
        states.map(({ parameter }) => parameter),
      );
      const norm = update(tf, states, grads, { learningRate, bias1, bias2 });
      const result = tf.stack([...parts, norm]);
      tf.dispose(parts);
      return result;
    });
    const numbers = await metrics.data();
    metrics.dispose();
    return numbers;
  });
}

function batchTensors(tf: Tf, problem: TrainStepProblem) {
  const { images } = problem;
  const dense = denseBatch(problem);
  const perPatch = [images, PATCHES, MODEL.patchValues];
  return {
    tokens: tf.tensor1d(dense.tokens, 'int32'),
    targets: tf.tensor1d(dense.targets, 'int32'),
    targetWeights: tf.tensor1d(dense.targetWeights),
    /** Added to the scores. */
    mask: tf.tensor(
      dense.visible.map((visible) => (visible ? 0 : -1e9)),
      [1, 1, LENGTH, LENGTH],
    ),
    cos: tf.tensor(dense.cos, [LENGTH, 1, HEAD_DIM / 2]),
    sin: tf.tensor(dense.sin, [LENGTH, 1, HEAD_DIM / 2]),
    sinusoids: tf.tensor(dense.sinusoids, [images, MODEL.timestepDimensions]),
    patches: tf.tensor(dense.patches, perPatch),
    noise: tf.tensor(dense.noise, perPatch),
  };
}

/** Language and diffusion loss. */
function losses(model: Model, b: Batch, rows: number): [Tensor, Tensor] {
  const { tf } = model;
  const { channels, vocabularySize } = MODEL;
  const hidden = forward(model, b, rows);
  const logits = tf.reshape(project(model, 'languageHead', hidden), [-1, vocabularySize]);
  const logProbabilities = tf.sub(logits, tf.logSumExp(logits, -1, true));
  const picked = tf.sum(tf.mul(logProbabilities, tf.oneHot(b.targets, vocabularySize)), -1);
  const language = tf.neg(tf.sum(tf.mul(picked, b.targetWeights)));
  const images = sections(LAYOUT)
    .filter(({ kind }) => kind === 'image')
    .map(({ begin, end }) => tf.slice(hidden, [0, begin, 0], [rows, end - begin, channels]));
  const prediction = linear(model, 'patchOut', tf.reshape(tf.concat(images, 1), [-1, PATCHES, channels]));
  return [language, tf.mean(tf.square(tf.sub(prediction, b.noise)))];
}

/** [rows, length, channels], after the final norm. */
function forward(model: Model, b: Batch, rows: number): Tensor {
  const { tf } = model;
  const { channels, vocabularySize } = MODEL;
  // A product, because the gradient of a gather (unsortedSegmentSum) has no kernel on these backends.
  const oneHot = tf.cast(tf.oneHot(b.tokens, vocabularySize), 'float32');
  const text = tf.reshape(model.product(oneHot, model.weights.get('tokenEmbedding') as Tensor), [rows, -1, channels]);
  const time = linear(
    model,
    'timestepEmbedding.second',
    silu(tf, linear(model, 'timestepEmbedding.first', b.sinusoids)),
  );
  const patches = tf.add(linear(model, 'patchIn', b.patches), tf.reshape(time, [-1, 1, channels]));
  const perRow = tf.reshape(patches, [rows, IMAGES_PER_ROW * PATCHES, channels]);
  const parts = sections(LAYOUT).map(({ kind, begin, end, index }) =>
    kind === 'text'
      ? tf.slice(text, [0, index[0], 0], [rows, end - begin, channels])
      : tf.slice(perRow, [0, index[0] * PATCHES, 0], [rows, PATCHES, channels]),
  );
  let x: Tensor = tf.concat(parts, 1);
  for (let layer = 0; layer < MODEL.layers; layer++) x = block(model, `blocks.${layer}`, x, b);
  return rmsNorm(model, 'norm', x);
}

function block(model: Model, path: string, input: Tensor, b: Batch): Tensor {
  const { tf } = model;
  const [rows, length, channels] = input.shape;
  const normed = rmsNorm(model, `${path}.attentionNorm`, input);
  const heads = (name: string) =>
    tf.reshape(project(model, `${path}.attention.${name}`, normed), [rows, length, MODEL.heads, HEAD_DIM]) as Tensor4D;
  const headsFirst = (x: Tensor) => tf.transpose(x, [0, 2, 1, 3]);
  const q = headsFirst(rotate(tf, heads('query'), b));
  const k = headsFirst(rotate(tf, heads('key'), b));
  const scores = tf.add(tf.mul(model.product(q, tf.transpose(k, [0, 1, 3, 2])), 1 / Math.sqrt(HEAD_DIM)), b.mask);
  const mixed = headsFirst(model.product(tf.softmax(scores), headsFirst(heads('value'))));
  const x = tf.add(input, project(model, `${path}.attention.output`, tf.reshape(mixed, [rows, length, channels])));
  const h = rmsNorm(model, `${path}.feedForwardNorm`, x);
  const gate = silu(tf, project(model, `${path}.feedForward.gate`, h));
  const up = project(model, `${path}.feedForward.up`, h);
  return tf.add(x, project(model, `${path}.feedForward.down`, tf.mul(gate, up)));
}

function rotate(tf: Tf, x: Tensor4D, b: Batch): Tensor {
  const [first, second] = tf.split(x, 2, -1);
  const rotated = [
    tf.sub(tf.mul(first, b.cos), tf.mul(second, b.sin)),
    tf.add(tf.mul(first, b.sin), tf.mul(second, b.cos)),
  ];
  return tf.concat(rotated, -1);
}

function rmsNorm(model: Model, path: string, x: Tensor): Tensor {
  const { tf } = model;
  const meanSquare = tf.mean(tf.square(x), -1, true);
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, MODEL.normEpsilon))), model.weights.get(path) as Tensor);
}

function silu(tf: Tf, x: Tensor): Tensor {
  return tf.mul(x, tf.sigmoid(x));
}

/** x [..., inputs] times a weight [inputs, outputs], as one product of two matrices. */
function project(model: Model, path: string, x: Tensor): Tensor {
  const { tf } = model;
  const weight = model.weights.get(path) as Tensor;
  const product = model.product(tf.reshape(x, [-1, weight.shape[0]]), weight);
  return tf.reshape(product, [...x.shape.slice(0, -1), weight.shape[1] as number]);
}

function linear(model: Model, path: string, x: Tensor): Tensor {
  return model.tf.add(project(model, `${path}.weight`, x), model.weights.get(`${path}.bias`) as Tensor);
}

/** Clipped AdamW, written into the variables. @returns the norm of the gradients */
function update(
  tf: Tf,
  states: OptimizerState[],
  gradients: Record<string, Tensor>,
  numbers: { learningRate: number; bias1: number; bias2: number },
): Tensor {
  const { beta1, beta2, epsilon, weightDecay } = OPTIMIZER;
  const { learningRate, bias1, bias2 } = numbers;
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
  // Not addN: on WebGPU it binds all of them at once, more than an adapter must allow.
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
  const scale = tf.minimum(tf.div(MAX_GRADIENT_NORM, tf.add(norm, 1e-6)), 1);
  for (const { weight, parameter, m, v } of states) {
    const gradient = tf.mul(gradients[parameter.name], scale);
    m.assign(tf.add(tf.mul(m as Tensor, beta1), tf.mul(gradient, 1 - beta1)));
    v.assign(tf.add(tf.mul(v as Tensor, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
    const root = tf.add(tf.sqrt(tf.div(v as Tensor, bias2)), epsilon);
    const step = tf.div(tf.div(m as Tensor, bias1), root);
    const decay = tf.mul(parameter as Tensor, weight.decays ? weightDecay : 0);
    parameter.assign(tf.sub(parameter as Tensor, tf.mul(tf.add(decay, step), learningRate)));
  }
  return norm;
}
