import { evaluate, type Tensor } from '@transfusion/tensor';
import { forward, languageLogits, type ModelConfig, predictLatents } from './index.js';
import { plainModel } from './testing/plain-model.js';
import {
  asTensors,
  inputsOf,
  PATCHES,
  type Row,
  randomPatches,
  randomWeights,
  rowOf,
  tinyConfig,
} from './testing/sequence.js';

const config = tinyConfig();
const values = (x: Tensor) => evaluate([x], new Map())[0];

/** Hidden states [positions][channels] of one row. */
function hiddenOf(row: Row, images: { patches: Float32Array; timesteps: number[] }, model: ModelConfig = config) {
  const { hidden } = forward(model, asTensors(model, randomWeights(model)), inputsOf([row], images));
  const flat = values(hidden);
  return row.tokens.map((_, i) => [...flat.slice(i * model.channels, (i + 1) * model.channels)]);
}

/** Rows of a mask, query by query: 1 where it sees the key. */
const mask = (...rows: string[]) => rows.map((row) => [...row].map((each) => each === '1'));

/** Which positions change when a position's token, or patch, changes: [query][key]. */
function influence(row: Row, images: { patches: Float32Array; timesteps: number[] }): boolean[][] {
  const before = hiddenOf(row, images);
  const changed = row.tokens.map((token, j) => {
    const tokens = row.tokens.map((each, i) => (i === j && token >= 0 ? (each + 1) % config.vocabularySize : each));
    const patches = images.patches.slice();
    if (token < 0) patches[row.patchIndex[j] * config.patchValues] += 1;
    return hiddenOf({ ...row, tokens }, { ...images, patches });
  });
  return before.map((vector, i) => changed.map((after) => vector.some((value, c) => value !== after[i][c])));
}

test('images are refused by a model that has no parts for them', () => {
  const model = tinyConfig({ images: 'tokens', patchValues: 1 });
  const images = { patches: randomPatches(model, 1), timesteps: [0] };
  const p = asTensors(model, randomWeights(model));
  expect(() => forward(model, p, inputsOf([rowOf('tBiiiiE')], images))).toThrow(/MODEL_IMAGES: .*'tokens'/);
  expect(forward(model, p, inputsOf([rowOf('ttt')])).hidden.shape).toEqual([1, 3, model.channels]);
});

describe('the model, against plain loops', () => {
  const patches = randomPatches(config, 2);
  const timesteps = [999, 10];

  test.each([
    ['grouped heads', {}],
    ['as many key heads as heads', { kvHeads: 4 }],
    ['QK-norm', { qkNorm: true }],
    ['post-norm', { norm: 'post' as const, normEpsilon: 0.1 }],
    ['all of Chameleon, which makes other sums of the same parts', { norm: 'post' as const, qkNorm: true }],
    ['other constants', { ropeTheta: 100, normEpsilon: 0.1 }],
  ])('%s', (_, changes) => {
    const model = tinyConfig(changes);
    const weights = randomWeights(model);
    const p = asTensors(model, weights);
    const row = rowOf('ttBiiiiEtBiiiiE');
    const sees = row.tokens.map((_, i) => row.tokens.map((_, j) => j >= row.begin[i] && j < row.end[i]));
    const expected = plainModel({ config: model, weights, row, sees, patches, timesteps });
    const { hidden, groups } = forward(model, p, inputsOf([row], { patches, timesteps }));
    const at = row.patchIndex.flatMap((patch, i) => (patch >= 0 ? [i] : []));
    const logits = values(languageLogits(p, hidden));
    const predictions = values(predictLatents(hidden, groups[0]));
    const close = (actual: ArrayLike<number>, wanted: number[]) =>
      wanted.forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThan(2e-5 * (1 + Math.abs(value))));
    expect(logits.length).toBe(15 * model.vocabularySize);
    close(logits, expected.logits.flat());
    close(
      predictions,
      at.flatMap((i) => expected.predictions[i]),
    );
  });
});

describe('variants, against plain loops', () => {
  const patches = randomPatches(config, 2);
  const timesteps = [999, 10];
  /** `ttBiiiiEtBiiiiE`, images of 2 x 2 patches. */
  const row = rowOf('ttBiiiiEtBiiiiE');
  const causal = { ...row, end: row.end.map((_, i) => i + 1) };
  const in2d = {
    ...row,
    positions: [0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8, 9, 9, 10],
    columns: [0, 1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 9, 8, 9, 10],
  };

  test.each<[string, Partial<ModelConfig>, Row]>([
    ['causal images', { imageAttention: 'causal' }, causal],
    ['2-D positions', { imagePositions: '2d', ropeTheta: 10 }, in2d],
    ['a feed-forward for each modality', { feedForwards: 'per-modality' }, row],
    ['coordinates of patches', { patchCoordinates: 'sinusoidal' }, row],
    ['all of them', { imagePositions: '2d', feedForwards: 'per-modality', qkNorm: true }, { ...in2d, end: causal.end }],
  ])('%s', (_, changes, given) => {
    const model = tinyConfig(changes);
    const weights = randomWeights(model);
    const sees = given.tokens.map((_, i) => given.tokens.map((_, j) => j >= given.begin[i] && j < given.end[i]));
    const expected = plainModel({ config: model, weights, row: given, sees, patches, timesteps });
    const p = asTensors(model, weights);
    for (const checkpointBlocks of [false, true]) {
      const inputs = inputsOf([given], { patches, timesteps });
      const { hidden, groups } = forward(model, p, inputs, { checkpointBlocks });
      const at = given.patchIndex.flatMap((patch, i) => (patch >= 0 ? [i] : []));
      const wanted = [...expected.logits.flat(), ...at.flatMap((i) => expected.predictions[i])];
      const actual = [...values(languageLogits(p, hidden)), ...values(predictLatents(hidden, groups[0]))];
      expect(actual).toHaveLength(wanted.length);
      wanted.forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThan(2e-5 * (1 + Math.abs(value))));
    }
  });

  test('images without columns are refused by a model with 2-D positions', () => {
    const model = tinyConfig({ imagePositions: '2d' });
    const p = asTensors(model, randomWeights(model));
    expect(() => forward(model, p, inputsOf([row], { patches, timesteps }))).toThrow(/MODEL_COLUMNS/);
  });

  test('a head that does not divide into four is refused by 2-D positions alone', () => {
    expect(() => tinyConfig({ imagePositions: '2d', heads: 8 })).toThrow(/must be a multiple of 4/);
    expect(() => tinyConfig({ heads: 8 })).not.toThrow();
  });

  test('channels that do not divide into four are refused by coordinates of patches alone', () => {
    const odd = { channels: 18, heads: 3, kvHeads: 3 };
    expect(() => tinyConfig({ ...odd, patchCoordinates: 'sinusoidal' })).toThrow(/must be a multiple of 4/);
    expect(() => tinyConfig(odd)).not.toThrow();
  });
});

describe('who sees whom', () => {
  const image = { patches: randomPatches(config, 1), timesteps: [300] };

  test('t t BOI i i i i EOI t: causal, and both ways inside the image', () => {
    expect(influence(rowOf('ttBiiiiEt'), image)).toEqual(
      mask(
        '100000000',
        '110000000',
        '111000000',
        '111111100',
        '111111100',
        '111111100',
        '111111100',
        '111111110',
        '111111111',
      ),
    );
  });

  test('two images in one row: the first never sees the second', () => {
    const images = { patches: randomPatches(config, 2), timesteps: [300, 700] };
    const row = rowOf('tBiiiiEBiiiiEt');
    const seen = influence(row, images);
    const imageOf = (i: number) => (row.patchIndex[i] < 0 ? -1 : Math.floor(row.patchIndex[i] / PATCHES));
    seen.forEach((keys, i) =>
      keys.forEach((sees, j) => {
        const sameImage = imageOf(i) >= 0 && imageOf(i) === imageOf(j);
        expect([i, j, sees]).toEqual([i, j, j <= i || sameImage]);
      }),
    );
  });

  test('documents in one row do not see each other, and count positions from their own start', () => {
    const images = { patches: randomPatches(config, 2), timesteps: [300, 300] };
    images.patches.copyWithin(PATCHES * config.patchValues, 0);
    const row = rowOf('tBiiiiE|tBiiiiE');
    const seen = influence(row, images);
    for (let i = 0; i < 14; i++) for (let j = 0; j < 14; j++) if (i < 7 !== j < 7) expect(seen[i][j]).toBe(false);
    const same = { ...row, tokens: row.tokens.map((token, i) => (i === 7 ? row.tokens[0] : token)) };
    const hidden = hiddenOf(same, images);
    for (let i = 0; i < 7; i++) hidden[i].forEach((value, c) => expect(hidden[i + 7][c]).toBeCloseTo(value, 12));
  });

  test("a timestep reaches its own image's patches and what comes after, nothing before", () => {
    const row = rowOf('tBiiiiEtBiiiiEt');
    const patches = randomPatches(config, 2);
    const before = hiddenOf(row, { patches, timesteps: [100, 200] });
    const after = hiddenOf(row, { patches, timesteps: [100, 201] });
    before.forEach((vector, i) => {
      expect([i, vector.every((value, c) => value === after[i][c])]).toEqual([i, i < 9]);
    });
  });

  test('rows of a batch do not see each other', () => {
    const rows = [rowOf('tBiiiiEt'), rowOf('ttBiiiiE', 1)];
    const patches = randomPatches(config, 2);
    const p = asTensors(config, randomWeights(config));
    const both = values(forward(config, p, inputsOf(rows, { patches, timesteps: [5, 600] })).hidden);
    const second = { ...rows[1], patchIndex: rows[1].patchIndex.map((patch) => (patch < 0 ? patch : patch - PATCHES)) };
    const alone = hiddenOf(second, { patches: patches.slice(patches.length / 2), timesteps: [600] }).flat();
    alone.forEach((value, i) => expect(both[alone.length + i]).toBeCloseTo(value, 12));
  });

  test('position matters: moved by rotary positions only, attention sees the difference', () => {
    const row = rowOf('tttt');
    const p = asTensors(config, randomWeights(config));
    const run = (positions: number[]) => values(forward(config, p, inputsOf([{ ...row, positions }])).hidden);
    const [base, shifted, stretched] = [
      [0, 1, 2, 3],
      [7, 8, 9, 10],
      [0, 2, 4, 6],
    ].map(run);
    base.forEach((value, i) => expect(shifted[i]).toBeCloseTo(value, 5));
    expect(base.some((value, i) => Math.abs(value - stretched[i]) > 1e-3)).toBe(true);
  });
});
