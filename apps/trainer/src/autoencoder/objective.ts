/** @file What an autoencoder is trained for, traced: reconstruction, the terms of its kind, and the discriminator's judgement. */
import {
  adaptiveAdversarialWeight,
  discriminatorHingeLoss,
  generatorHingeLoss,
  klLoss,
  type LpipsParameters,
  lpips,
  reconstructionLoss,
  squaredErrorLoss,
  structuralSimilarity,
  vqLoss,
} from '@transfusion/losses';
import { trainableCopy } from '@transfusion/nn';
import { randomNormal, type Tensor } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  countCodes,
  type DiscriminatorParameters,
  discriminate,
  downsamplingFactor,
  type KlConfig,
  type KlParameters,
  latentChannels,
  reconstructKl,
  reconstructVq,
  type VqConfig,
  type VqParameters,
} from '@transfusion/vae';
import type { VaeRunConfig } from './config.js';

export type AutoencoderParameters<T = Tensor> = KlParameters<T> | VqParameters<T>;

export interface ObjectiveOptions {
  autoencoder: AutoencoderConfig;
  loss: VaeRunConfig['loss'];
}

export interface ObjectiveInputs {
  /** [batch, size, size, 3] */
  images: Tensor;
  /** i32 [4]: Philox seed and counter of this step's latents. */
  noiseSeed: Tensor;
}

/** A pass through the autoencoder. */
interface Reconstruction {
  /** What to differentiate with respect to. */
  live: AutoencoderParameters;
  reconstruction: Tensor;
  /** Terms of the kind, for the record. */
  terms: Record<string, Tensor>;
  /** Their weighted sum. */
  regulariser: Tensor;
  /** Of vq: how often each code occurs. */
  counts?: Tensor;
}

export interface Objective {
  live: AutoencoderParameters;
  total: Tensor;
  reconstruction: Tensor;
  /** For the record. */
  terms: Record<string, Tensor>;
  counts?: Tensor;
}

/** Without a discriminator: L1, the terms that are asked for, LPIPS where there are weights for it, and the terms of the kind. */
export function reconstructionObjective(
  options: ObjectiveOptions,
  p: AutoencoderParameters,
  inputs: ObjectiveInputs,
  perceptual?: LpipsParameters,
): Objective {
  const pass = reconstruct(options, p, inputs);
  const { total, terms } = fidelity(options, pass, inputs, perceptual);
  return { ...pass, total: total.add(pass.regulariser), terms: { ...terms, ...pass.terms } };
}

/** With a discriminator: its judgement of reconstructions, weighted adaptively; and what it itself minimises. */
export function adversarialObjective(
  options: ObjectiveOptions,
  p: AutoencoderParameters,
  adversary: DiscriminatorParameters,
  inputs: ObjectiveInputs,
  perceptual?: LpipsParameters,
): Objective & { discriminator: Tensor } {
  const judge = (pass: Pick<Reconstruction, 'reconstruction'>) =>
    generatorHingeLoss(discriminate(adversary, pass.reconstruction));
  const plain = reconstructionObjective(options, p, inputs, perceptual);
  const generator = judge(plain);
  // Another trace, whose parameters are not differentiated: the weight counts as a constant.
  const fixed = reconstruct(options, p, inputs);
  const weight = adaptiveAdversarialWeight({
    reconstruction: fidelity(options, fixed, inputs, perceptual).total,
    adversarial: judge(fixed),
    lastLayer: fixed.live.decoder.conv_out.weight,
    weight: options.loss.adversarial,
  });
  const discriminator = discriminatorHingeLoss({
    real: discriminate(adversary, inputs.images),
    fake: discriminate(adversary, fixed.reconstruction),
  });
  return {
    ...plain,
    total: plain.total.add(generator.mul(weight)),
    discriminator,
    terms: { ...plain.terms, generator, adversarialWeight: weight, discriminator },
  };
}

function fidelity(
  { loss }: ObjectiveOptions,
  { reconstruction }: Reconstruction,
  { images }: ObjectiveInputs,
  perceptual?: LpipsParameters,
): { total: Tensor; terms: Record<string, Tensor> } {
  const l1 = reconstructionLoss({ reconstruction, images });
  const terms: Record<string, Tensor> = { l1 };
  let total = l1.mul(loss.reconstruction);
  if (loss.squaredError > 0) {
    terms.squaredError = squaredErrorLoss({ reconstruction, images });
    total = total.add(terms.squaredError.mul(loss.squaredError));
  }
  if (loss.structuralSimilarity > 0) {
    terms.ssim = structuralSimilarity(reconstruction, images).mean();
    total = total.add(terms.ssim.neg().add(1).mul(loss.structuralSimilarity));
  }
  if (perceptual) {
    terms.lpips = lpips(perceptual, reconstruction, images).mean();
    total = total.add(terms.lpips.mul(loss.lpips));
  }
  return { total, terms };
}

function reconstruct(options: ObjectiveOptions, p: AutoencoderParameters, inputs: ObjectiveInputs): Reconstruction {
  const { autoencoder } = options;
  return autoencoder._class_name === 'VQModel'
    ? throughCodes(autoencoder, options, p as VqParameters, inputs)
    : throughPosterior(autoencoder, options, p as KlParameters, inputs);
}

function throughPosterior(
  config: KlConfig,
  { loss }: ObjectiveOptions,
  p: KlParameters,
  { images, noiseSeed }: ObjectiveInputs,
): Reconstruction {
  const [batch, height, width] = images.shape;
  const factor = downsamplingFactor(config);
  const shape = [batch, height / factor, width / factor, latentChannels(config)];
  const noise = randomNormal({ seed: noiseSeed, shape, stream: 0 });
  const live = trainableCopy(p);
  const { reconstruction, posterior } = reconstructKl({ config, parameters: live, images, noise });
  const kl = klLoss(posterior);
  return { live, reconstruction, terms: { kl }, regulariser: kl.mul(loss.kl) };
}

function throughCodes(
  config: VqConfig,
  { loss }: ObjectiveOptions,
  p: VqParameters,
  { images }: ObjectiveInputs,
): Reconstruction {
  const { parameters, reconstruction, vectors, codeVectors, codes } = reconstructVq({ config, parameters: p, images });
  const { codebook, commitment, total } = vqLoss({
    vectors,
    codeVectors,
    beta: loss.commitment,
    weight: loss.quantiser,
  });
  return {
    live: parameters.live,
    reconstruction,
    terms: { codebook, commitment },
    regulariser: total,
    counts: countCodes(codes, config.num_vq_embeddings),
  };
}
