/** @file Cached decoding equals uncached, in every variant: sequences of texts and images of several sizes, piece by piece. */
import { constant, evaluate, fill, PhiloxStream, type Tensor } from '@transfusion/tensor';
import {
  type CacheContext,
  forward,
  type LatentSize,
  type LayerCache,
  languageLogits,
  type ModelConfig,
  predictLatents,
} from './index.js';
import { asTensors, randomWeights, tinyConfig } from './testing/sequence.js';

const unet: ModelConfig['patcher'] = {
  ...{ kind: 'unet', channels: [4, 6], layersPerBlock: 1 },
  ...{ attention: [1], headDim: 2, norm: 'group', groups: 2 },
};

/** Everything that decides how a sequence is read. */
const variants: [string, Partial<ModelConfig>][] = [
  ['the paper', {}],
  ['causal images', { imageAttention: 'causal' }],
  ['2-D positions', { imagePositions: '2d' }],
  ['coordinates of patches', { patchCoordinates: 'sinusoidal' }],
  ['a feed-forward for each modality', { feedForwards: 'per-modality' }],
  ['a U-Net', { patcher: unet }],
  ['a U-Net, and all of them', { patcher: unet, imagePositions: '2d', feedForwards: 'per-modality' }],
  ['all of them', { imageAttention: 'causal', imagePositions: '2d', feedForwards: 'per-modality', qkNorm: true }],
];

/** Text (a letter is a token) or an image. */
type Piece = string | LatentSize;
const [SQUARE, WIDE, TALL]: LatentSize[] = [
  { height: 4, width: 4 },
  { height: 4, width: 8 },
  { height: 12, width: 4 },
];
const sequences: [string, Piece[]][] = [
  ['text after an image', ['abB', SQUARE, 'Ecd']],
  ['two images in a row', ['aB', SQUARE, 'EB', SQUARE, 'Eb']],
  ['several sizes in one row', ['B', TALL, 'EabB', WIDE, 'EB', SQUARE, 'Ec', 'd']],
  ['an image first, and last', ['B', WIDE, 'EaB', TALL]],
];

const CAPACITY = 64;
const patchesOf = ({ height, width }: LatentSize) => (height * width) / 4;
const ints = (data: number[], shape = [1, data.length]) => constant(Int32Array.from(data), shape);
const range = (length: number, first = 0) => Array.from({ length }, (_, i) => first + i);

/** Written from the definitions: places in the sequence, and rotary positions, of every piece. */
function placesOf(config: ModelConfig, pieces: readonly Piece[]) {
  let [at, next] = [0, 0];
  return pieces.map((piece) => {
    const [first, position] = [at, next];
    if (typeof piece === 'string') {
      [at, next] = [at + piece.length, next + piece.length];
      const positions = range(piece.length, position);
      return { piece, first, length: piece.length, positions, columns: positions, end: range(piece.length, first + 1) };
    }
    const [rows, columns] = [piece.height / 2, piece.width / 2];
    const length = rows * columns;
    const is2d = config.imagePositions === '2d';
    at += length;
    next += is2d ? Math.max(rows, columns) : length;
    return {
      ...{ piece, first, length },
      positions: range(length).map((i) => position + (is2d ? Math.floor(i / columns) : i)),
      columns: range(length).map((i) => position + (is2d ? i % columns : i)),
      end: range(length).map((i) => (config.imageAttention === 'causal' ? first + i + 1 : first + length)),
    };
  });
}
type Places = ReturnType<typeof placesOf>[number];

interface Image {
  latents: Tensor;
  timesteps: Tensor;
}

function images(config: ModelConfig, pieces: readonly Piece[], seed: number): (Image | undefined)[] {
  const stream = new PhiloxStream(seed);
  return pieces.map((piece) => {
    if (typeof piece === 'string') return undefined;
    const shape = [1, piece.height, piece.width, config.patchValues / 4];
    const data = Float32Array.from({ length: piece.height * piece.width * shape[3] }, () => stream.normal());
    return { latents: constant(data, shape), timesteps: constant(Float32Array.of(stream.integer(1000)), [1]) };
  });
}

const tokensOf = (text: string) => [...text].map((letter) => letter.charCodeAt(0) % 20);

describe.each(variants)('%s', (_, changes) => {
  const config = tinyConfig({ patchSize: 2, patchValues: 12, maxPositions: CAPACITY, ...changes });
  const p = asTensors(config, randomWeights(config));

  /** One pass over everything. Each image is a group of its own. */
  function whole(all: readonly Places[], given: readonly (Image | undefined)[]) {
    const length = all.reduce((sum, { length }) => sum + length, 0);
    const groups = all.flatMap(({ piece, first, length: count }, i) => {
      if (typeof piece === 'string') return [];
      const patchIndex = ints(range(length).map((at) => (at >= first && at < first + count ? at - first : -1)));
      return [{ ...given[i]!, patchIndex, patchPositions: ints(range(count, first)) }];
    });
    const result = forward(config, p, {
      tokens: ints(
        all.flatMap(({ piece }) =>
          typeof piece === 'string' ? tokensOf(piece) : range(patchesOf(piece)).map(() => -1),
        ),
      ),
      ...{
        positions: ints(all.flatMap(({ positions }) => positions)),
        columns: ints(all.flatMap(({ columns }) => columns)),
      },
      ...{ begin: ints(range(length).map(() => 0)), end: ints(all.flatMap(({ end }) => end)), images: groups },
    });
    const predictions = result.groups.map((group) => predictLatents(result.hidden, group));
    return [languageLogits(p, result.hidden), ...predictions];
  }

  /** One call on positions [from, to) of a piece, with what is in the cache. */
  function call(places: Places, image: Image | undefined, layers: readonly LayerCache[], [from, to]: [number, number]) {
    const count = to - from;
    const cut = (data: number[]) => ints(data.slice(from, to));
    const cache: CacheContext = { rows: ints(range(count, places.first + from)), layers };
    const here = ints(range(count));
    const inputs = {
      ...{ positions: cut(places.positions), begin: ints(range(count).map(() => 0)), end: cut(places.end) },
      ...(typeof places.piece === 'string'
        ? { tokens: cut(tokensOf(places.piece)) }
        : { columns: cut(places.columns), images: [{ ...image!, patchIndex: here, patchPositions: here }] }),
    };
    return forward(config, p, inputs, { cache });
  }

  test.each(sequences)('%s', (_, pieces) => {
    const all = placesOf(config, pieces);
    const clean = images(config, pieces, 7);
    const noisy = images(config, pieces, 8);
    const shape = [CAPACITY, config.kvHeads!, config.channels / config.heads];
    // What is beyond a sequence's end is not seen, whatever it is.
    let layers: LayerCache[] = range(config.layers).map(() => ({ key: fill(shape, 9), value: fill(shape, 9) }));
    const logits: Tensor[] = [];
    const predictions: Tensor[] = [];
    all.forEach((places, i) => {
      const { piece, length } = places;
      // Text token by token. Images at once, over what an earlier, noisier pass has left.
      const calls: [number, number][] =
        typeof piece === 'string' ? range(length).map((at) => [at, at + 1]) : [[0, length]];
      if (typeof piece !== 'string') layers = call(places, noisy[i], layers, [0, length]).cache;
      for (const span of calls) {
        const { hidden, groups, cache } = call(places, clean[i], layers, span);
        layers = cache;
        logits.push(languageLogits(p, hidden));
        if (groups[0]) predictions.push(predictLatents(hidden, groups[0]));
      }
    });
    const expected = evaluate(whole(all, clean), new Map());
    const actual = evaluate([...logits, ...predictions], new Map());
    const cached = [actual.slice(0, logits.length).flatMap((each) => [...each]), ...actual.slice(logits.length)];
    expect(cached.length).toBe(expected.length);
    cached.forEach((each, i) => {
      expect(each.length).toBe(expected[i].length);
      const worst = expected[i].reduce((most, value, at) => Math.max(most, Math.abs(value - each[at])), 0);
      expect(worst).toBeLessThan(1e-10);
    });
    // The comparison is a sharp one: noise in the images reaches the last position.
    const other = evaluate(whole(all, noisy), new Map());
    expect(Math.abs(other[0].at(-1)! - expected[0].at(-1)!)).toBeGreaterThan(1e-4);
  });
});

test('the text feed-forward is not computed where all is patches', () => {
  const config = tinyConfig({ patchSize: 2, patchValues: 12, feedForwards: 'per-modality' });
  const weights = randomWeights(config);
  // What would be infinity is not looked at.
  for (const { feedForward } of weights.blocks) for (const each of Object.values(feedForward)) each.fill(Number.NaN);
  weights.tokenEmbedding.fill(Number.NaN);
  const [image] = images(config, [SQUARE], 1);
  const here = ints(range(4));
  const { hidden } = forward(config, asTensors(config, weights), {
    ...{ positions: here, begin: ints([0, 0, 0, 0]), end: ints([4, 4, 4, 4]) },
    images: [{ ...image!, patchIndex: here, patchPositions: here }],
  });
  expect(evaluate([hidden], new Map())[0].every(Number.isFinite)).toBe(true);
});
