/** @file Looking at attention: what is seen is what the model computes, and looking changes nothing. */
import { type Backend, compile, createVariable, evaluate, f32, i32, isTensor, mapTree } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type ForwardOptions, forward, type ModelConfig, type ObservedAttention } from './index.js';
import { plainModel } from './testing/plain-model.js';
import { asTensors, inputsOf, PATCHES, randomPatches, randomWeights, rowOf, tinyConfig } from './testing/sequence.js';

const row = rowOf('ttBiiiiEt');
const timesteps = [700];

test.each<[string, Partial<ModelConfig>]>([
  ['grouped heads', {}],
  ['one key head', { kvHeads: 1 }],
  ['QK-norm', { qkNorm: true, kvHeads: 4 }],
  ['post-norm', { norm: 'post', normEpsilon: 0.1 }],
])('%s: softmax of q k^T is how the plain model looks, and with v it is the output', (_, changes) => {
  const config = tinyConfig(changes);
  const [weights, patches] = [randomWeights(config), randomPatches(config, 1)];
  const seen: ObservedAttention[] = [];
  const inputs = inputsOf([row], { patches, timesteps });
  const { hidden } = forward(config, asTensors(config, weights), inputs, {
    checkpointBlocks: true,
    observe: (layer, attention) => void (seen[layer] = attention),
  });
  expect(seen).toHaveLength(2);
  const sees = row.tokens.map((_, i) => row.tokens.map((_, j) => j >= row.begin[i] && j < row.end[i]));
  const { attention: expected } = plainModel({ config, weights, row, sees, patches, timesteps });
  const unobserved = forward(config, asTensors(config, weights), inputs).hidden;
  expect(evaluate([hidden], new Map())).toEqual(evaluate([unobserved], new Map()));
  const { heads, kvHeads = heads, channels } = config;
  const d = channels / heads;
  seen.forEach(({ q, k, v, output }, layer) => {
    const [qs, ks, vs, os] = evaluate([q, k, v, output], new Map());
    for (let h = 0; h < heads; h++) {
      const shared = Math.floor((h * kvHeads) / heads);
      row.tokens.forEach((_, i) => {
        const mixed = new Array<number>(d).fill(0);
        let total = 0;
        const scores = row.tokens.map((_, j) => {
          if (!sees[i][j]) return 0;
          let score = 0;
          for (let c = 0; c < d; c++) score += qs[(i * heads + h) * d + c] * ks[(j * kvHeads + shared) * d + c];
          total += Math.exp(score / Math.sqrt(d));
          return Math.exp(score / Math.sqrt(d));
        });
        scores.forEach((score, j) => {
          expect(Math.abs(score / total - expected[layer][h][i][j])).toBeLessThan(1e-6);
          for (let c = 0; c < d; c++) mixed[c] += (score / total) * vs[(j * kvHeads + shared) * d + c];
        });
        mixed.forEach((value, c) => expect(Math.abs(value - os[(i * heads + h) * d + c])).toBeLessThan(1e-12));
      });
    }
  });
});

describe('compiled', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasm({ threads: 1 });
  });
  afterAll(() => backend.dispose());

  const config = tinyConfig();
  const T = row.tokens.length;

  async function compiled(options: ForwardOptions, outputs: () => object = () => ({})) {
    const tensors = asTensors(config, randomWeights(config));
    const parameters = mapTree(tensors, isTensor, (tensor) =>
      createVariable(backend, { shape: tensor.shape, data: Float32Array.from(evaluate([tensor], new Map())[0]) }),
    );
    const each = i32(1, T);
    const function_ = await compile({
      backend,
      name: 'forward',
      inputs: {
        ...{ tokens: each, positions: each, begin: each, end: each, latents: f32(1, 2, 2, 3), timesteps: f32(1) },
        ...{ patchIndex: each, patchPositions: i32(1, PATCHES) },
      },
      state: { parameters },
      fn: ({ latents, timesteps, patchIndex, patchPositions, ...rest }, state) => {
        const images = [{ latents, timesteps, patchIndex, patchPositions }];
        const { hidden } = forward(config, state.parameters, { ...rest, images }, options);
        return { outputs: { hidden, ...outputs() } };
      },
    });
    const integers = (field: 'tokens' | 'positions' | 'begin' | 'end' | 'patchIndex') => Int32Array.from(row[field]);
    const { hidden } = await function_.run({
      ...{ tokens: integers('tokens'), positions: integers('positions') },
      ...{ begin: integers('begin'), end: integers('end'), patchIndex: integers('patchIndex') },
      ...{ latents: randomPatches(config, 1), timesteps: Float32Array.from(timesteps) },
      patchPositions: Int32Array.of(3, 4, 5, 6),
    });
    return { program: function_.program, hidden };
  }

  test('an observer that makes no output leaves the program as it is, and one that does leaves every bit of the rest', async () => {
    const plain = await compiled({});
    const seen: ObservedAttention[] = [];
    const observe = (layer: number, attention: ObservedAttention) => void (seen[layer] = attention);
    const idle = await compiled({ observe });
    expect(idle.program).toEqual(plain.program);
    const reading = await compiled({ observe }, () => ({ seen: seen.slice(-2).map((each) => ({ ...each })) }));
    expect(reading.program).not.toEqual(plain.program);
    expect(reading.hidden).toEqual(plain.hidden);
    expect(plain.hidden.some((value) => value !== 0)).toBe(true);
  });
});
