/** @file One evaluation of a sampling plan, compiled: the model, guidance and the sampler's update, all on the device. */
import { patchCount } from '@transfusion/data';
import { EVALUATION_COEFFICIENTS, guideInGraph, type SampleState, updateSampleInGraph } from '@transfusion/schedulers';
import { compile, concat, f32, select, type Variable } from '@transfusion/tensor';
import type { LatentShape } from '@transfusion/vae';
import { faultCode } from './fault-code.js';
import { type FunctionOptions, positionSpecs, predictInGraph } from './model-functions.js';

export interface DenoiseStepOptions extends FunctionOptions {
  /** Size of a latent image. */
  latent: LatentShape;
  /** The second half of the sequences is the unconditional one of the first: then there are half as many images. */
  guided: boolean;
  images: ImageState<Variable>;
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

export function compileDenoiseStep({ latent, guided, images, ...options }: DenoiseStepOptions) {
  const { backend, config, parameters, layers, batch } = options;
  const patches = patchCount(latent, config.patchSize);
  return compile({
    backend,
    name: `denoise ${batch}x${patches}`,
    inputs: {
      positions: positionSpecs(batch, patches),
      timestep: f32(1),
      guidance: f32(1),
      coefficients: f32(EVALUATION_COEFFICIENTS),
      /** Counted from 1. */
      evaluation: f32(1),
    },
    state: { parameters, layers, images },
    fn: ({ positions, timestep, guidance, coefficients, evaluation }, { images: before, ...state }) => {
      const { sample, noise, faultyEvaluation, fault } = before;
      const latents = guided ? concat([sample, sample], 0) : sample;
      const inputs = { ...positions, latents, timesteps: timestep.broadcastTo([batch]) };
      const { prediction: all, cache } = predictInGraph(config, state, inputs);
      const half = batch / 2;
      const prediction = guided ? guideInGraph(all.slice(0, half, batch), all.slice(0, 0, half), guidance) : all;
      // Looked at before the estimate is clamped, which would hide infinities.
      const code = faultCode(prediction);
      const after = {
        ...updateSampleInGraph({ coefficients, state: before, prediction, noise }),
        faultyEvaluation: select(fault, faultyEvaluation, select(code, evaluation, 0)),
        fault: select(fault, fault, code),
      };
      return { outputs: {}, updates: { layers: cache, images: after } };
    },
  });
}
export type DenoiseStep = Awaited<ReturnType<typeof compileDenoiseStep>>;
