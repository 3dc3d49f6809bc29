import { constant, evaluate, fill, type Tensor } from '@transfusion/tensor';
import { forward, type LayerCache, languageLogits } from './index.js';
import { asTensors, inputsOf, type Row, randomPatches, randomWeights, rowOf, tinyConfig } from './testing/sequence.js';

const config = tinyConfig();
const parameters = asTensors(config, randomWeights(config));
const CAPACITY = 24;

const emptyCache = (batch: number): LayerCache[] =>
  Array.from({ length: config.layers }, () => {
    const shape = [batch * CAPACITY, 2, config.channels / config.heads];
    return { key: fill(shape, 0), value: fill(shape, 0) };
  });

/** Positions first to last of rows; patches count from the image's first. */
function part(rows: readonly Row[], first: number, last: number): Row[] {
  return rows.map((row) => {
    const cut = (field: Exclude<keyof Row, 'columns'>) => row[field].slice(first, last);
    const patchIndex = cut('patchIndex');
    return { tokens: cut('tokens'), patchIndex, positions: cut('positions'), begin: cut('begin'), end: cut('end') };
  });
}

type Images = { patches: Float32Array; timesteps: number[] };

/** One call on some positions: logits, and the cache after it. */
function call(rows: readonly Row[], first: number, last: number, layers: LayerCache[], images?: Images, store = true) {
  const cacheRows = rows.flatMap((_, b) =>
    Array.from({ length: last - first }, (_, i) => (store ? b * CAPACITY + first + i : -1)),
  );
  // Each sequence has its own rows of the cache.
  const placed = part(rows, first, last).map((row, b) => {
    const moved = (bounds: number[]) => bounds.map((bound) => b * CAPACITY + bound);
    return { ...row, begin: moved(row.begin), end: moved(row.end) };
  });
  const result = forward(config, parameters, inputsOf(placed, images), {
    cache: { rows: constant(Int32Array.from(cacheRows), [rows.length, last - first]), layers },
  });
  return { logits: languageLogits(parameters, result.hidden), cache: result.cache };
}

const values = (...tensors: Tensor[]) => evaluate(tensors, new Map());

/** Rows [first, last) of the logits of each batch row. */
function logitsAt(logits: Float64Array, batch: number, length: number, first: number, last: number): number[] {
  const width = config.vocabularySize;
  return Array.from({ length: batch }, (_, b) => [
    ...logits.slice((b * length + first) * width, (b * length + last) * width),
  ]).flat();
}

function expectEqual(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 10));
}

describe('the key and value cache', () => {
  const rows = [rowOf('tttBiiiiEttt'), rowOf('tttBiiiiEttt', 1)];
  rows[1].tokens = rows[1].tokens.map((token) => (token >= 3 ? ((token + 4) % 17) + 3 : token));
  const clean: Images = { patches: randomPatches(config, 2), timesteps: [0, 0] };
  const noisy: Images = { patches: randomPatches(config, 2, 77), timesteps: [900, 900] };
  const [whole] = values(languageLogits(parameters, forward(config, parameters, inputsOf(rows, clean)).hidden));

  test('prefix, image and text in three calls are the whole sequence at once', () => {
    const prefix = call(rows, 0, 4, emptyCache(2));
    const image = call(rows, 4, 8, prefix.cache, clean);
    const rest = call(rows, 8, 12, image.cache);
    const [a, b, c] = values(prefix.logits, image.logits, rest.logits);
    expectEqual(a, logitsAt(whole, 2, 12, 0, 4));
    expectEqual(b, logitsAt(whole, 2, 12, 4, 8));
    expectEqual(c, logitsAt(whole, 2, 12, 8, 12));
  });

  test('token by token, after the image too', () => {
    let { cache } = call(rows, 0, 4, emptyCache(2));
    cache = call(rows, 4, 8, cache, clean).cache;
    for (let i = 8; i < 12; i++) {
      const next = call(rows, i, i + 1, cache);
      expectEqual(values(next.logits)[0], logitsAt(whole, 2, 12, i, i + 1));
      cache = next.cache;
    }
  });

  test('noisy passes over the image leave nothing behind once the clean image has overwritten them', () => {
    const prefix = call(rows, 0, 4, emptyCache(2));
    const denoised = call(rows, 4, 8, call(rows, 4, 8, prefix.cache, noisy).cache, clean);
    expectEqual(values(call(rows, 8, 12, denoised.cache).logits)[0], logitsAt(whole, 2, 12, 8, 12));
    // Without that, text would see the noisy image: the time conditioning and the patches reach it.
    const stale = values(call(rows, 8, 12, call(rows, 4, 8, prefix.cache, noisy).cache).logits)[0];
    const expected = logitsAt(whole, 2, 12, 8, 12);
    expect(expected.some((value, i) => Math.abs(value - stale[i]) > 0.01)).toBe(true);
  });

  test('positions with cache row -1 are not stored', () => {
    const { cache } = call(rows, 0, 4, emptyCache(2));
    const [before, after] = values(cache[1].key, call(rows, 4, 5, cache, clean, false).cache[1].key);
    expect(after).toEqual(before);
  });

  test('what lies in the cache beyond the interval is not seen', () => {
    const filled = emptyCache(2).map(({ key, value }) => ({ key: fill(key.shape, 9), value: fill(value.shape, 9) }));
    expectEqual(values(call(rows, 0, 4, filled).logits)[0], logitsAt(whole, 2, 12, 0, 4));
  });
});
