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
import { compile, f32, select, type Tensor, type Variable } from '@transfusion/tensor';
import type { LatentShape } from '@transfusion/vae';
import { faultCode } from './fault-code.js';
import { type FunctionOptions, imagePositionSpecs, predictInGraph } from './model-functions.js';

/** How the guided prediction is kept in bounds: see `guideRescaled` and `guideRenormed` of @transfusion/schedulers. */
export type GuidanceBound = 'none' | 'rescale' | 'renorm';

export interface DenoiseStepOptions extends FunctionOptions {
  /** Size of a latent image. */
  latent: LatentShape;
  /** Each sequence of an image is followed by its unconditional one: then there are half as many images. */
  guided: boolean;
  bound: GuidanceBound;
  images: ImageState<Variable>;
  /** Of images that are known in some places. */
  known: KnownState<Variable> | undefined;
}

/** What stays on the device from evaluation to evaluation. */
export interface ImageState<Leaf> extends SampleState<Leaf> {
  /** Unit Gaussian noise for the next evaluation; anything finite where it adds none. All [images, height, width, channels]. */
  noise: Leaf;
  /** [images]: in which evaluation, counted from 1, the guided prediction was first not finite; 0: in none yet. */
  faultyEvaluation: Leaf;
  /** [images]: its `faultCode`. */
  fault: Leaf;
}

/** What `keepKnownInGraph` puts back after every evaluation. */
export interface KnownState<Leaf> {
  /** Clean latents and the noise they started with, [images, height, width, channels]. */
  x0: Leaf;
  noise: Leaf;
  /** [images, height, width, 1]: 1 where x0 is to stay, else 0. */
  known: Leaf;
}

export function compileDenoiseStep(options: DenoiseStepOptions) {
  const { latent, guided, bound, images, known, ...rest } = options;
  const { backend, config, parameters, layers, batch } = rest;
  const patches = patchCount(latent, config.patchSize);
  const variant = `${guided ? '' : ' unguided'}${bound === 'none' ? '' : ` ${bound}`}${known ? ' known' : ''}`;
  return compile({
    backend,
    name: `denoise ${batch}x${patches}${variant}`,
    inputs: {
      positions: imagePositionSpecs(config, batch, patches),
      timestep: f32(1),
      guidance: f32(1),
      /** Of `bound`. */
      guidanceBound: f32(1),
      coefficients: f32(EVALUATION_COEFFICIENTS),
      /** Signal and noise after the evaluation. */
      level: f32(2),
      /** Counted from 1. */
      evaluation: f32(1),
    },
    state: { parameters, layers, images, known: known ? [known] : [] },
    fn: (inputs, { images: before, known: original, ...state }) => {
      const { positions, timestep, guidance, guidanceBound, coefficients, level, evaluation } = inputs;
      const { sample, noise, faultyEvaluation, fault } = before;
      const latents = guided ? twice(sample) : sample;
      const patchInputs = { ...positions, latents, timesteps: timestep.broadcastTo([batch]) };
      const { prediction: all, cache } = predictInGraph(config, state, patchInputs);
      const conditional = guided ? everySecond(all, 0) : all;
      const guidedPrediction = guided ? guideInGraph(everySecond(all, 1), conditional, guidance) : all;
      // Looked at before the estimate is clamped, which would hide infinities.
      const code = faultCode(guidedPrediction);
      const prediction = BOUNDED[bound](guidedPrediction, conditional, guidanceBound);
      const update = updateSampleInGraph({ coefficients, state: before, prediction, noise });
      const kept = original.map((each) => keepKnownInGraph({ ...each, level, sample: update.sample }));
      const after = {
        ...update,
        sample: kept[0] ?? update.sample,
        faultyEvaluation: select(fault, faultyEvaluation, select(code, evaluation, 0)),
        fault: select(fault, fault, code),
      };
      return { outputs: {}, updates: { layers: cache, images: after } };
    },
  });
}
export type DenoiseStep = Awaited<ReturnType<typeof compileDenoiseStep>>;

const BOUNDED: Record<GuidanceBound, (guided: Tensor, conditional: Tensor, bound: Tensor) => Tensor> = {
  none: (guided) => guided,
  rescale: guideRescaledInGraph,
  renorm: guideRenormedInGraph,
};

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
