/** @file One denoising step of an image behind 1,024 tokens: with their cached keys and values, and over the whole sequence. */
import {
  compilePatches,
  compileTokens,
  compileWhole,
  createCache,
  decodingParameters,
  MODEL,
  PATCHES,
  positionArrays,
} from './decoding.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns } from './row.js';

const PREFIX = 1024;
const REDUCED_PREFIX = 128;
/** Largest difference between the two ways, of predictions whose size is about 1. */
const AGREEMENT = 1e-3;

export const denoiseStepRow = defineRow({
  name: 'denoise-step',
  title: ({ prefix }: { prefix: number }) =>
    `denoising ${PATCHES} patches behind ${prefix} tokens, their keys and values cached`,
  unit: 'steps/s',
  problem: (reduced: boolean) => ({ prefix: reduced ? REDUCED_PREFIX : PREFIX }),
  reduced: `a prefix of ${REDUCED_PREFIX} tokens instead of ${PREFIX}`,
  work: () => 1,
  tolerance: 1e-3,
  engines: {
    async ours({ backend }, { prefix }) {
      const parameters = decodingParameters(backend);
      const cache = createCache(backend, prefix + PATCHES);
      const tokens = Int32Array.from({ length: prefix }, (_, i) => (7 * i) % MODEL.vocabularySize);
      const read = await compileTokens({ backend, parameters, cache, queries: prefix });
      await read.run({ ...positionArrays(0, prefix, (position) => position + 1), tokens });
      read.dispose();

      const image = { latents: normalArray(PATCHES * MODEL.patchValues, { seed: 5 }), timesteps: Float32Array.of(500) };
      const cached = await compilePatches({ backend, parameters, cache });
      const behind = { ...positionArrays(prefix, PATCHES, () => prefix + PATCHES), ...image };
      const whole = await compileWhole({ backend, parameters }, prefix);
      const { rows, ...positions } = positionArrays(0, prefix + PATCHES, (position) =>
        position < prefix ? position + 1 : prefix + PATCHES,
      );
      const everything = {
        ...positions,
        tokens: rows.map((position) => (position < prefix ? tokens[position] : -1)),
        patchIndex: rows.map((position) => (position < prefix ? -1 : position - prefix)),
        ...image,
      };
      return {
        async run(times) {
          for (let i = 0; i < times; i++) await cached.run(behind);
        },
        beside: {
          'the whole sequence': async (times) => {
            for (let i = 0; i < times; i++) await whole.run(everything);
          },
        },
        profile: () => profileRuns(cached, () => cached.profile(behind)),
        async check() {
          const [{ prediction }, { prediction: expected }] = [await cached.run(behind), await whole.run(everything)];
          const error = Math.max(...prediction.map((value, i) => Math.abs(value - expected[i])));
          if (!(error < AGREEMENT)) throw new Error(`with cached keys the prediction differs by ${error}`);
          return prediction;
        },
      };
    },
  },
});
