/** @file An autoencoder's training step as compiled functions, with and without a discriminator; and the revival of codes. */
import type { LpipsParameters } from '@transfusion/losses';
import {
  type AdamWOptions,
  adamwUpdate,
  clipScale,
  createParameters,
  emaUpdate,
  globalNorm,
  gradientTree,
  type ParameterSpec,
  vector,
} from '@transfusion/nn';
import { type Backend, compile, f32, fill, i32, scalar, select, type Tensor, type Variable } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderSpec,
  type DiscriminatorConfig,
  type DiscriminatorParameters,
  discriminatorSpec,
  encodeToVectors,
  reviveDeadCodes,
  type VqConfig,
  type VqParameters,
} from '@transfusion/vae';
import type { VaeRunConfig } from './config.js';
import {
  type AutoencoderParameters,
  adversarialObjective,
  type Objective,
  reconstructionObjective,
} from './objective.js';

export interface AutoencoderStepOptions {
  autoencoder: AutoencoderConfig;
  /** [images, size, size, 3] */
  batch: { images: number; size: number };
  loss: VaeRunConfig['loss'];
  optimizer: AdamWOptions;
  maxGradientNorm: number;
  /** Where there is a discriminator. */
  discriminator?: DiscriminatorConfig;
}

/** Parameters and their moments. */
interface Optimised<P> {
  parameters: P;
  m: P;
  v: P;
}

/** What persists between steps. */
export interface AutoencoderState<T = Variable> extends Optimised<AutoencoderParameters<T>> {
  ema: AutoencoderParameters<T>;
  discriminator?: Optimised<DiscriminatorParameters<T>>;
  /** Of vq: uses of each code since the last revival, [codes]. */
  uses?: T;
}

/** Fixed weights. */
export type Perceptual = LpipsParameters<Variable>;

/** The shapes of all that persists, as a tree. */
export function autoencoderStateSpec(options: AutoencoderStepOptions): AutoencoderState<ParameterSpec> {
  const { autoencoder, discriminator } = options;
  const optimised = <Specs>(specs: Specs) => ({ parameters: specs, m: specs, v: specs });
  const specs = autoencoderSpec(autoencoder);
  return {
    ...optimised(specs),
    ema: specs,
    discriminator: discriminator && optimised(discriminatorSpec(discriminator)),
    uses: autoencoder._class_name === 'VQModel' ? vector(autoencoder.num_vq_embeddings) : undefined,
  };
}

/** Variables of a run; contents by path (such as `m.decoder.conv_in.bias`), zeros where there are none. */
export function createAutoencoderState(
  backend: Backend,
  options: AutoencoderStepOptions,
  values: ReadonlyMap<string, Float32Array>,
): AutoencoderState {
  return createParameters(backend, autoencoderStateSpec(options), values);
}

function stepInputs({ batch }: AutoencoderStepOptions) {
  return {
    images: f32(batch.images, batch.size, batch.size, 3),
    /** Philox seed and counter of the latents' noise. */
    noiseSeed: i32(4),
    /** See `adamwHyper`. */
    hyper: f32(3),
    /** Of the discriminator's optimizer, whose steps count from its start. */
    discriminatorHyper: f32(3),
    emaDecay: f32(1),
  };
}

export type StepArrays = Record<keyof ReturnType<typeof stepInputs>, Float32Array | Int32Array>;
type StepTensors = { [Key in keyof ReturnType<typeof stepInputs>]: Tensor };

/** One step of the autoencoder, the discriminator untouched. */
export function compilePlainStep(
  backend: Backend,
  state: AutoencoderState,
  options: AutoencoderStepOptions,
  perceptual?: Perceptual,
) {
  const { discriminator, ...own } = state;
  const { discriminatorHyper, ...inputs } = stepInputs(options);
  return compile({
    backend,
    name: 'autoencoder step',
    inputs,
    state: { own, perceptual },
    fn: (arrays, tensors) => {
      const p: { own: AutoencoderState<Tensor>; perceptual?: LpipsParameters } = tensors;
      const objective = reconstructionObjective(options, p.own.parameters, arrays, p.perceptual);
      const { norm, updates } = updateAutoencoder(options, p.own, objective, arrays);
      return { outputs: { ...objective.terms, norm }, updates: { own: updates } };
    },
  });
}

/** One step of the autoencoder against the discriminator, and one of the discriminator. */
export function compileAdversarialStep(
  backend: Backend,
  state: AutoencoderState,
  options: AutoencoderStepOptions,
  perceptual?: Perceptual,
) {
  const { discriminator, ...own } = state;
  return compile({
    backend,
    name: 'adversarial autoencoder step',
    inputs: stepInputs(options),
    state: { own, perceptual, discriminator: discriminator! },
    fn: (arrays: StepTensors, tensors) => {
      const p: {
        own: AutoencoderState<Tensor>;
        perceptual?: LpipsParameters;
        discriminator: Optimised<DiscriminatorParameters>;
      } = tensors;
      const judge = p.discriminator.parameters;
      const objective = adversarialObjective(options, p.own.parameters, judge, arrays, p.perceptual);
      const { norm, updates } = updateAutoencoder(options, p.own, objective, arrays);
      const next = optimise(options, discriminatorSpec(options.discriminator), p.discriminator, {
        gradients: gradientTree(objective.discriminator, judge),
        hyper: arrays.discriminatorHyper,
      });
      return { outputs: { ...objective.terms, norm }, updates: { own: updates, discriminator: next.next } };
    },
  });
}

/** Clipped AdamW, the moving average, and the count of codes. */
function updateAutoencoder(
  options: AutoencoderStepOptions,
  state: AutoencoderState<Tensor>,
  { live, total, counts }: Objective,
  { hyper, emaDecay }: Pick<StepTensors, 'hyper' | 'emaDecay'>,
) {
  const gradients = gradientTree(total, live);
  const { norm, next } = optimise(options, autoencoderSpec(options.autoencoder), state, { gradients, hyper });
  const ema = emaUpdate(state.ema, next.parameters, emaDecay);
  return { norm, updates: { ...next, ema, ...(counts ? { uses: state.uses!.add(counts) } : {}) } };
}

function optimise<P>(
  { optimizer, maxGradientNorm }: AutoencoderStepOptions,
  specs: unknown,
  { parameters, m, v }: Optimised<P>,
  { gradients, hyper }: { gradients: P; hyper: Tensor },
): { norm: Tensor; next: Optimised<P> } {
  const norm = globalNorm(gradients);
  const gradientScale = clipScale(norm, maxGradientNorm);
  return { norm, next: adamwUpdate({ specs, parameters, gradients, m, v, hyper, gradientScale }, optimizer) };
}

/**
 * Moves codes used less often than `threshold` to vectors of a batch, and starts the count of uses again. The output: uses
 * until then.
 */
export function compileRevival(
  backend: Backend,
  { parameters, m, v, ema, uses }: AutoencoderState,
  { autoencoder, batch }: AutoencoderStepOptions & { autoencoder: VqConfig },
) {
  return compile({
    backend,
    name: 'revive codes',
    inputs: { images: f32(batch.images, batch.size, batch.size, 3), seed: i32(4), threshold: f32(1) },
    state: { parameters, m, v, ema, uses: uses! },
    fn: ({ images, seed, threshold }, tensors) => {
      const p = tensors as unknown as Optimised<VqParameters> & { ema: VqParameters; uses: Tensor };
      const codes = autoencoder.num_vq_embeddings;
      const { codebook, dead } = reviveDeadCodes({
        codebook: p.parameters.quantize.embedding.weight,
        counts: p.uses,
        vectors: encodeToVectors(autoencoder, p.parameters, images),
        threshold,
        seed,
      });
      const isDead = dead.reshape([codes, 1]);
      const embedding = (weight: Tensor) => ({ quantize: { embedding: { weight } } });
      return {
        outputs: { uses: p.uses.mul(1) },
        updates: {
          parameters: embedding(codebook),
          m: embedding(select(isDead, scalar(0), p.m.quantize.embedding.weight)),
          v: embedding(select(isDead, scalar(0), p.v.quantize.embedding.weight)),
          ema: embedding(select(isDead, codebook, p.ema.quantize.embedding.weight)),
          uses: fill([codes], 0),
        },
      };
    },
  });
}
