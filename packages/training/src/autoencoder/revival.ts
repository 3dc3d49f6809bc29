/** @file Between steps, codes that nobody uses are moved to where vectors are (Dhariwal et al. 2020, arXiv 2005.00341). */
import { type Backend, compile, f32, fill, i32, scalar, select, type Tensor, type Variable } from '@transfusion/tensor';
import { codebookUse, encodeToVectors, reviveDeadCodes, type VqConfig, type VqParameters } from '@transfusion/vae';
import type { ObjectiveVariables, Upkeep } from '../objective.js';
import type { RevivalConfig } from './config.js';
import { DRAWS, seedOf } from './random.js';

export interface RevivalOptions extends RevivalConfig {
  seed: number;
  /** Of the run. */
  steps: number;
  autoencoder: VqConfig;
  batch: { images: number; height: number; width: number };
}

/** Every `every` steps: tells uses of codes until then; after `until` of the steps they are counted only, and no code is moved. */
export async function reviveCodes(
  backend: Backend,
  state: ObjectiveVariables,
  options: RevivalOptions,
): Promise<Upkeep> {
  const compiled = await compileRevival(backend, state, options);
  return {
    async run(step, batch): Promise<Record<string, number>> {
      if (step % options.every !== 0) return {};
      const isLate = step > options.until * options.steps;
      const threshold = Float32Array.of(isLate ? 0 : options.threshold);
      const { images } = batch as { images: Float32Array };
      const seed = seedOf(options.seed, step - 1, DRAWS.revival);
      const { uses } = await compiled.run({ images, seed, threshold });
      const { share, perplexity } = codebookUse(uses);
      return { codebookUse: share, perplexity };
    },
    dispose: () => compiled.dispose(),
  };
}

interface RevivalState {
  parameters: VqParameters;
  m: VqParameters;
  v: VqParameters;
  ema: VqParameters;
  uses: Tensor;
}

/**
 * Moves codes used less often than `threshold` to vectors of a batch, and starts the count of uses again. The output: uses
 * until then.
 */
function compileRevival(
  backend: Backend,
  { parameters, m, v, ema, counters }: ObjectiveVariables,
  { autoencoder, batch }: RevivalOptions,
) {
  const uses: Variable = counters!.uses;
  return compile({
    backend,
    name: 'revive codes',
    inputs: { images: f32(batch.images, batch.height, batch.width, 3), seed: i32(4), threshold: f32(1) },
    state: { parameters, m, v, ema, uses },
    fn: ({ images, seed, threshold }, tensors) => {
      const p = tensors as unknown as RevivalState;
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
