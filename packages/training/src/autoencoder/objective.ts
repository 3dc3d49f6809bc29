/** @file The objectives of autoencoders, traced: reconstruction, the terms of their kind, and a discriminator's judgement. */
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
import { vector } from '@transfusion/nn';
import { f32, i32, isTensor, mapTree, randomNormal, type Tensor } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderSpec,
  countCodes,
  type DiscriminatorConfig,
  type DiscriminatorParameters,
  discriminate,
  discriminatorSpec,
  downsamplingFactor,
  type KlConfig,
  type KlParameters,
  latentChannels,
  reconstructKl,
  reconstructVq,
  type VqConfig,
  type VqParameters,
} from '@transfusion/vae';
import type { BatchTensors, Objective, ObjectiveLosses } from '../objective.js';
import type { AutoencoderLossConfig, RevivalConfig } from './config.js';
import { type RevivalOptions, reviveCodes } from './revival.js';

type AutoencoderParameters = KlParameters | VqParameters;

export interface AutoencoderObjectiveOptions {
  autoencoder: AutoencoderConfig;
  /** [images, height, width, 3] */
  batch: { images: number; height: number; width: number };
  loss: AutoencoderLossConfig;
  /** Micro-batches of a step, over which losses are means. Default 1. */
  accumulation?: number;
  /** With it, reconstructions are judged, and the judge learns. */
  discriminator?: DiscriminatorConfig;
  /** Of vq: when its dead codes are revived; without it never. */
  revival?: RevivalConfig & Pick<RevivalOptions, 'seed' | 'steps'>;
}

function autoencoderInputs({ batch }: Pick<AutoencoderObjectiveOptions, 'batch'>) {
  return {
    images: f32(batch.images, batch.height, batch.width, 3),
    /** Philox seed and counter of this step's latents. */
    noiseSeed: i32(4),
  };
}

type Inputs = ReturnType<typeof autoencoderInputs>;

export type AutoencoderObjective = Objective<
  Inputs,
  AutoencoderParameters,
  DiscriminatorParameters | undefined,
  LpipsParameters | undefined
>;

/**
 * L1, the terms that are asked for, LPIPS where its weights are among the constants, and the terms of the kind: the divergence of
 * kl, codebook and commitment of vq. With a discriminator (Esser et al. 2021, arXiv 2012.09841) its judgement too, weighted
 * adaptively.
 */
export function autoencoderObjective(options: AutoencoderObjectiveOptions): AutoencoderObjective {
  const { autoencoder, discriminator, revival } = options;
  const isVq = autoencoder._class_name === 'VQModel';
  return {
    parameters: autoencoderSpec(autoencoder),
    inputs: autoencoderInputs(options),
    ...(discriminator ? { discriminator: discriminatorSpec(discriminator) } : {}),
    ...(isVq ? { counters: { uses: vector(autoencoder.num_vq_embeddings) } } : {}),
    losses({ parameters, discriminator: judge, constants }, batch) {
      const pass = reconstruct(options, parameters, batch);
      const { total, terms } = fidelity(options.loss, pass, batch, constants);
      const plain = {
        ...shared({ total: total.add(pass.regulariser), terms: { ...terms, ...pass.terms } }, options.accumulation),
        ...(pass.counts ? { counts: { uses: pass.counts } } : {}),
      };
      if (!discriminator || !judge) return plain;
      const lastLayer = parameters.decoder.conv_out.weight;
      return withJudgement(plain, judge, { fidelity: total, lastLayer, pass, batch, weight: options.loss.adversarial });
    },
    ...(isVq && revival && revival.every > 0
      ? { upkeep: (backend, state) => reviveCodes(backend, state, { ...revival, autoencoder, batch: options.batch }) }
      : {}),
  };
}

/** A micro-batch's part of a step's mean. */
function shared({ total, terms }: ObjectiveLosses, accumulation = 1): ObjectiveLosses {
  if (accumulation === 1) return { total, terms };
  const part = (loss: Tensor) => loss.div(accumulation);
  return { total: part(total), terms: mapTree(terms, isTensor, part) };
}

function withJudgement(
  plain: ObjectiveLosses,
  judge: DiscriminatorParameters,
  options: {
    /** The part of the loss that the weight is measured against. */
    fidelity: Tensor;
    lastLayer: Tensor;
    pass: Pick<Reconstruction, 'reconstruction'>;
    batch: Pick<BatchTensors<Inputs>, 'images'>;
    weight: number;
  },
): ObjectiveLosses {
  const { fidelity, lastLayer, pass, batch } = options;
  const fake = discriminate(judge, pass.reconstruction);
  const generator = generatorHingeLoss(fake);
  const weight = adaptiveAdversarialWeight({
    reconstruction: fidelity,
    adversarial: generator,
    lastLayer,
    weight: options.weight,
  });
  const discriminator = discriminatorHingeLoss({ real: discriminate(judge, batch.images), fake });
  return {
    ...plain,
    total: plain.total.add(generator.mul(weight)),
    discriminator,
    terms: { ...plain.terms, generator, adversarialWeight: weight, discriminator },
  };
}

/** A pass through the autoencoder. */
interface Reconstruction {
  reconstruction: Tensor;
  /** Terms of the kind, for the record. */
  terms: Record<string, Tensor>;
  /** Their weighted sum. */
  regulariser: Tensor;
  /** Of vq: how often each code occurs. */
  counts?: Tensor;
}

function fidelity(
  loss: AutoencoderLossConfig,
  { reconstruction }: Reconstruction,
  { images }: Pick<BatchTensors<Inputs>, 'images'>,
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

function reconstruct(
  { autoencoder, loss }: AutoencoderObjectiveOptions,
  p: AutoencoderParameters,
  inputs: BatchTensors<Inputs>,
): Reconstruction {
  return autoencoder._class_name === 'VQModel'
    ? throughCodes(autoencoder, loss, p as VqParameters, inputs)
    : throughPosterior(autoencoder, loss, p as KlParameters, inputs);
}

function throughPosterior(
  config: KlConfig,
  loss: AutoencoderLossConfig,
  parameters: KlParameters,
  { images, noiseSeed }: BatchTensors<Inputs>,
): Reconstruction {
  const [batch, height, width] = images.shape;
  const factor = downsamplingFactor(config);
  const shape = [batch, height / factor, width / factor, latentChannels(config)];
  const noise = randomNormal({ seed: noiseSeed, shape, stream: 0 });
  const { reconstruction, posterior } = reconstructKl({ config, parameters, images, noise });
  const kl = klLoss(posterior);
  return { reconstruction, terms: { kl }, regulariser: kl.mul(loss.kl) };
}

function throughCodes(
  config: VqConfig,
  loss: AutoencoderLossConfig,
  parameters: VqParameters,
  { images }: BatchTensors<Inputs>,
): Reconstruction {
  const { reconstruction, vectors, codeVectors, codes } = reconstructVq({ config, parameters, images });
  const { codebook, commitment, total } = vqLoss({
    vectors,
    codeVectors,
    beta: loss.commitment,
    weight: loss.quantiser,
  });
  return {
    reconstruction,
    terms: { codebook, commitment },
    regulariser: total,
    counts: countCodes(codes, config.num_vq_embeddings),
  };
}
