/** @file One evaluation of a sampling plan, compiled: the model, guidance and the sampler's update, all on the device. */
import { patchCount } from '@transfusion/data';
import {
  EVALUATION_COEFFICIENTS,
  guideInGraph,
  guideRenormedInGraph,
  guideRescaledInGraph,
  keepKnownInGraph,
  type SampleState,
  updateSampleInGraph,
} from '@transfusion/schedulers';
import { compile, f32, gather, i32, select, type Tensor, type Variable, writeRows } from '@transfusion/tensor';
import type { LatentShape } from '@transfusion/vae';
import { faultCode } from './fault-code.js';
import { type FunctionOptions, imagePositionSpecs, predictInGraph } from './model-functions.js';

/** How the guided prediction is kept in bounds: see `guideRescaled` and `guideRenormed` of @transfusion/schedulers. */
export type GuidanceBound = 'none' | 'rescale' | 'renorm';

/** Evaluations that one compiled function carries out together. */
export interface DenoiseVariant {
  /** The sequence of each image is followed by its unconditional one. */
  guided: boolean;
  bound: GuidanceBound;
  /** Whether the images are known in some places. */
  known: boolean;
}

export interface DenoiseStepOptions extends Omit<FunctionOptions, 'batch'> {
  /** Size of a latent image. */
  latent: LatentShape;
  /** Images that one call serves, at most. */
  count: number;
  variant: DenoiseVariant;
  images: ImageState<Variable>;
  /** Where the variant knows any. */
  known: KnownState<Variable> | undefined;
}

/** What stays on the device from evaluation to evaluation, for as many images as there are places. */
export interface ImageState<Leaf> extends SampleState<Leaf> {
  /** Unit Gaussian noise for the next evaluation; anything finite where it adds none. All [places, height, width, channels]. */
  noise: Leaf;
  /** [places]: in which evaluation, counted from 1, the guided prediction was first not finite; 0: in none yet. */
  faultyEvaluation: Leaf;
  /** [places]: its `faultCode`. */
  fault: Leaf;
}

/** What `keepKnownInGraph` puts back after every evaluation. */
export interface KnownState<Leaf> {
  /** Clean latents and the noise they started with, [places, height, width, channels]. */
  x0: Leaf;
  noise: Leaf;
  /** [places, height, width, 1]: 1 where x0 is to stay, else 0. */
  known: Leaf;
}

/** Each of the images in `places` takes a step of its own: every number of an evaluation is one for each image. */
export function compileDenoiseStep(options: DenoiseStepOptions) {
  const { latent, count, variant, images, known, ...rest } = options;
  const { backend, config, parameters, layers } = rest;
  const { guided, bound } = variant;
  const patches = patchCount(latent, config.patchSize);
  const batch = guided ? 2 * count : count;
  const named = `${guided ? '' : ' unguided'}${bound === 'none' ? '' : ` ${bound}`}${known ? ' known' : ''}`;
  return compile({
    backend,
    name: `denoise ${batch}x${patches}${named}`,
    inputs: {
      /** Of each image; -1: of none. */
      places: i32(count),
      positions: imagePositionSpecs(config, batch, patches),
      timestep: f32(count),
      guidance: f32(count),
      /** Of `bound`. */
      guidanceBound: f32(count),
      coefficients: f32(count, EVALUATION_COEFFICIENTS),
      /** Signal and noise after the evaluation. */
      level: f32(count, 2),
      /** Counted from 1. */
      evaluation: f32(count),
    },
    state: { parameters, layers, images, known: known ? [known] : [] },
    fn: (inputs, { images: all, known: original, ...state }) => {
      const { places, positions, timestep, evaluation } = inputs;
      const before = mapValues(all, (values) => gather(values, places));
      const latents = guided ? twice(before.sample) : before.sample;
      const timesteps = guided ? twice(timestep) : timestep;
      const { prediction: both, cache } = predictInGraph(config, state, { ...positions, latents, timesteps });
      const conditional = guided ? everySecond(both, 0) : both;
      const guidedPrediction = guided
        ? guideInGraph(everySecond(both, 1), conditional, perImage(inputs.guidance))
        : both;
      // Looked at before the estimate is clamped, which would hide infinities.
      const code = faultCode(guidedPrediction);
      const prediction = BOUNDED[bound](guidedPrediction, conditional, inputs.guidanceBound.reshape([count, 1]));
      const coefficients = perImage(inputs.coefficients);
      const update = updateSampleInGraph({ coefficients, state: before, prediction, noise: before.noise });
      const kept = original.map((each) => {
        const own = mapValues(each, (values) => gather(values, places));
        return keepKnownInGraph({ ...own, level: perImage(inputs.level), sample: update.sample });
      });
      const { faultyEvaluation, fault } = before;
      const after = {
        ...update,
        sample: kept[0] ?? update.sample,
        faultyEvaluation: select(fault, faultyEvaluation, select(code, evaluation, 0)),
        fault: select(fault, fault, code),
      };
      const written = mapValues(after, (values, name) => writeRows(all[name], places, values));
      return { outputs: {}, updates: { layers: cache, images: written } };
    },
  });
}
export type DenoiseStep = Awaited<ReturnType<typeof compileDenoiseStep>>;

const BOUNDED: Record<GuidanceBound, (guided: Tensor, conditional: Tensor, bound: Tensor) => Tensor> = {
  none: (guided) => guided,
  rescale: guideRescaledInGraph,
  renorm: guideRenormedInGraph,
};

function mapValues<Name extends string, From, To>(
  values: Record<Name, From>,
  map: (value: From, name: Name) => To,
): Record<Name, To> {
  const entries = Object.entries(values) as [Name, From][];
  return Object.fromEntries(entries.map(([name, value]) => [name, map(value, name)])) as Record<Name, To>;
}

/** [images] or [images, n] to what goes with [images, height, width, channels]. */
function perImage(values: Tensor): Tensor {
  const [count, last = 1] = values.shape;
  return values.reshape([count, 1, 1, last]);
}

/** [n, ...] to [2 n, ...], each twice. */
function twice(values: Tensor): Tensor {
  const [count, ...shape] = values.shape;
  return values
    .reshape([count, 1, ...shape])
    .broadcastTo([count, 2, ...shape])
    .reshape([2 * count, ...shape]);
}

/** [2 n, ...] to the [n, ...] at even places from `first`, 0 or 1. */
function everySecond(values: Tensor, first: number): Tensor {
  const [count, ...shape] = values.shape;
  return values
    .reshape([count / 2, 2, ...shape])
    .slice(1, first, first + 1)
    .reshape([count / 2, ...shape]);
}
