/** @file One token of text behind a context of 1,024, with cached keys and values: bound by reading the weights once. */
import { availableParallelism } from 'node:os';
import { countParameters } from '@transfusion/nn';
import { transfusionSpec } from '@transfusion/transformer';
import { Bounds } from '../bounds/bounds.js';
import { compileTokens, createCache, decodingParameters, MODEL, positionArrays } from './decoding.js';
import { defineRow, profileRuns } from './row.js';

const CONTEXT = 1024;

/** Weights that a token needs: all but the table of embeddings, of which it takes a row. */
const WEIGHTS = countParameters(transfusionSpec(MODEL)) - MODEL.vocabularySize * MODEL.channels;

export const decodeTokenRow = defineRow({
  name: 'decode-token',
  title: () => `one token behind ${CONTEXT}, keys and values cached, ${((4 * WEIGHTS) / 1e6).toFixed(0)} MB of weights`,
  unit: 'tokens/s',
  problem: () => ({}),
  work: () => 1,
  flops: () => 2 * WEIGHTS,
  tolerance: 1e-3,
  engines: {
    async ours({ backend }) {
      const parameters = decodingParameters(backend);
      const cache = createCache(backend, CONTEXT + 1);
      const read = await compileTokens({ backend, parameters, cache, queries: CONTEXT });
      const tokens = Int32Array.from({ length: CONTEXT }, (_, i) => (7 * i) % MODEL.vocabularySize);
      await read.run({ ...positionArrays(0, CONTEXT, (position) => position + 1), tokens });
      read.dispose();
      const next = await compileTokens({ backend, parameters, cache, queries: 1 });
      const inputs = { ...positionArrays(CONTEXT, 1, (position) => position + 1), tokens: Int32Array.of(3) };
      // Every thread reads its share, and finds it where the kernels would: in memory, or in a large cache.
      const reading = (elements: number) => {
        const bounds = new Bounds((4 * elements) / availableParallelism());
        return async (times: number) => {
          for (let i = 0; i < times; i++) bounds.read();
        };
      };
      return {
        async run(times) {
          for (let i = 0; i < times; i++) await next.run(inputs);
        },
        beside:
          backend.name === 'wasm'
            ? {
                'reading the weights': reading(WEIGHTS),
                'reading weights and cache': reading(WEIGHTS + 2 * CONTEXT * MODEL.layers * MODEL.channels),
              }
            : {},
        profile: () => profileRuns(next, () => next.profile(inputs)),
        check: async () => (await next.run(inputs)).logits,
      };
    },
  },
});
