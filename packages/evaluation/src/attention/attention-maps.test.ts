/** @file Attention maps are those of the model: of its plain version in f64, and of its own output. */
import { captionDocument, type Document, packDocuments, RandomPurpose } from '@transfusion/data';
import { isParameterSpec } from '@transfusion/nn';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, mapTree, PhiloxStream } from '@transfusion/tensor';
import { type ModelConfigInput, type TransfusionParameters, transfusionSpec } from '@transfusion/transformer';
import { autoencoderCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { tinyVq } from '../../../sampler/src/testing/tiny-codec.js';
import {
  testImage,
  tinyConfig,
  tinyParameters,
  tinyWeights,
  tokenizerOf,
} from '../../../sampler/src/testing/tiny-model.js';
import { plainModel } from '../../../transformer/src/testing/plain-model.js';
import { type AttentionMaps, attentionMaps, meanOfHeads } from './attention-maps.js';
import { attentionWeights } from './attention-weights.js';
import { observeAttention } from './observe-attention.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

/** An image of 3 x 2 pixels, each a patch. */
const [ROWS, COLUMNS] = [2, 3];
const TIMESTEP = 300;
const image = { height: ROWS, width: COLUMNS, latents: testImage(1, { width: COLUMNS, height: ROWS }) };

function modelOf(changes: Partial<ModelConfigInput>) {
  const model = { ...tinyConfig().model, patchSize: 1, patchValues: 3, ...changes };
  const config = tinyConfig({ model, image: { size: { width: COLUMNS, height: ROWS } } });
  return { config, parameters: tinyParameters(backend, config), tokenizer: tokenizerOf(config) };
}

/** "ab" before the image, which is to be denoised, or behind it, which is clean. */
function documentOf({ tokenizer: { special, encode } }: ReturnType<typeof modelOf>, order: 'drawing' | 'captioning') {
  const captionIds = encode.call(tokenizerOf(tinyConfig()), 'ab');
  if (order === 'drawing') return captionDocument({ captionIds, image, order: 'caption-first', special });
  return captionDocument({ captionIds, image: { ...image, role: 'context' }, order: 'image-first', special });
}

const variants: [string, Partial<ModelConfigInput>][] = [
  ['the paper, grouped heads', {}],
  ['as many key heads as heads, QK-norm', { kvHeads: 4, qkNorm: true }],
  ['one key head, causal images', { kvHeads: 1, imageAttention: 'causal' }],
  ['2-D positions, a feed-forward for each modality', { imagePositions: '2d', feedForwards: 'per-modality' }],
];

describe.each(['drawing', 'captioning'] as const)('%s', (order) => {
  /** BOS a b BOI 6 patches EOI EOS, or BOS BOI 6 patches EOI a b EOS. */
  const first = order === 'drawing' ? 4 : 2;
  const length = 12;
  const isPatch = (i: number) => i >= first && i < first + 6;

  test.each(variants)('%s: the maps are those of the plain model in f64', async (_, changes) => {
    const model = modelOf(changes);
    const document = documentOf(model, order);
    const maps = await attentionMaps({ backend, model, document, timestep: TIMESTEP });
    const { causal, is2d } = { causal: changes.imageAttention === 'causal', is2d: changes.imagePositions === '2d' };
    const sees = Array.from({ length }, (_, i) =>
      Array.from({ length }, (_, j) => j <= i || (!causal && isPatch(i) && isPatch(j))),
    );
    const ids = [...(order === 'drawing' ? 'Bab[......]E' : 'B[......]abE')];
    const { special } = model.tokenizer;
    const idOf: Record<string, number> = { B: special.bos, E: special.eos, '[': special.boi, ']': special.eoi };
    const tokens = ids.map((each) => (each === '.' ? -1 : (idOf[each] ?? model.tokenizer.encode(each)[0])));
    const places = tokens.map((_, i) => {
      if (!is2d || i < first) return [i, i];
      const patch = i - first;
      if (isPatch(i)) return [first + Math.floor(patch / COLUMNS), first + (patch % COLUMNS)];
      return [first + COLUMNS + patch - 6, first + COLUMNS + patch - 6];
    });
    const row = {
      ...{ tokens, patchIndex: tokens.map((_, i) => (isPatch(i) ? i - first : -1)), begin: [], end: [] },
      ...{ positions: places.map(([at]) => at), columns: places.map(([, at]) => at) },
    };
    const tree = tinyWeights(model.config);
    const weights: TransfusionParameters<Float32Array> = mapTree(
      transfusionSpec(model.config.model),
      isParameterSpec,
      (_, path) => tree.get(path)!.data,
    );
    const { signal, noise } = createObjective().noiseSchedule.level(TIMESTEP);
    const stream = new PhiloxStream(0, RandomPurpose.evaluation, 0, 0);
    const patches = image.latents.map((x) => (order === 'drawing' ? signal * x + noise * stream.normal() : x));
    const { attention } = plainModel({
      ...{ config: model.config.model, weights, row, sees, patches, patchesPerImage: 6 },
      timesteps: [order === 'drawing' ? TIMESTEP : 0],
    });
    expect(maps.layers.map(({ layer, heads }) => [layer, heads.map(({ head }) => head)])).toEqual([
      [0, [0, 1, 2, 3]],
      [1, [0, 1, 2, 3]],
    ]);
    for (const { layer, heads } of maps.layers) {
      for (const { head, weights } of heads) {
        expect(weights).toHaveLength(length ** 2);
        const expected = attention[layer][head].flat();
        expect(Math.max(...expected.map((value, i) => Math.abs(value - weights[i])))).toBeLessThan(2e-6);
        checkRows(weights, sees);
      }
      checkRows(meanOfHeads(heads), sees);
    }
  });

  test.each(variants)('%s: with the values they are the output of the real forward pass', async (_, changes) => {
    const model = modelOf(changes);
    const { config, parameters, tokenizer } = model;
    const { patchSize, imageAttention, imagePositions } = config.model;
    const packed = packDocuments([documentOf(model, order)], {
      ...{ rows: 1, sequenceLength: length, patchSize, imageAttention, imagePositions, special: tokenizer.special },
      ...{ grids: [{ height: ROWS, width: COLUMNS, slots: 1 }], channels: 3 },
    });
    const timesteps = [Float32Array.of(TIMESTEP)];
    const observed = await observeAttention({
      ...{ backend, model: config.model, parameters, packed, timesteps, layers: [1, 0] },
    });
    expect(observed.map(({ layer }) => layer)).toEqual([1, 0]);
    const { heads, kvHeads = heads } = config.model;
    const headDim = config.model.channels / heads;
    let greatest = 0;
    for (const arrays of observed) {
      for (let head = 0; head < heads; head++) {
        const weights = attentionWeights(arrays, packed, head, { heads, kvHeads, headDim });
        const shared = Math.floor(head / (heads / kvHeads));
        for (let i = 0; i < length; i++) {
          for (let c = 0; c < headDim; c++) {
            let mixed = 0;
            for (let j = 0; j < length; j++) {
              mixed += weights[i * length + j] * arrays.v[(j * kvHeads + shared) * headDim + c];
            }
            greatest = Math.max(greatest, Math.abs(mixed - arrays.output[(i * heads + head) * headDim + c]));
          }
        }
      }
    }
    expect(greatest).toBeLessThan(1e-5);
    expect(Math.max(...observed[0].output)).toBeGreaterThan(0.1);
  });
});

function checkRows(weights: Float64Array, sees: boolean[][]): void {
  sees.forEach((row, i) => {
    const own = weights.subarray(i * row.length, (i + 1) * row.length);
    expect(Math.abs(own.reduce((sum, each) => sum + each, 0) - 1)).toBeLessThan(1e-12);
    row.forEach((isSeen, j) => expect(own[j] > 0).toBe(isSeen));
  });
}

const shown = ({ places }: AttentionMaps) =>
  places.map((place) => (place.kind === 'token' ? place.text : `${place.image}:${place.row},${place.column}`));

test('places are named: tokens by text, patches by row and column', async () => {
  const model = modelOf({});
  const maps = await attentionMaps({ backend, model, document: documentOf(model, 'drawing'), layers: [1], heads: [2] });
  const patches = ['0:0,0', '0:0,1', '0:0,2', '0:1,0', '0:1,1', '0:1,2'];
  const spelling = new Map([...model.tokenizer.specialTokens].map(([text, id]) => [id, text]));
  const [bos, boi, eoi, eos] = (['bos', 'boi', 'eoi', 'eos'] as const).map((name) =>
    spelling.get(model.tokenizer.special[name]),
  );
  expect(shown(maps)).toEqual([bos, 'a', 'b', boi, ...patches, eoi, eos]);
  expect(maps.places.filter((place) => place.kind === 'token' && place.isControl)).toHaveLength(4);
  expect(maps.images).toEqual([{ index: 0, rows: 2, columns: 3, timestep: 500 }]);
  expect(maps.layers.map(({ layer, heads }) => [layer, heads.map(({ head }) => head)])).toEqual([[1, [2]]]);
  const all = await attentionMaps({ backend, model, document: documentOf(model, 'drawing') });
  expect(maps.layers[0].heads[0].weights).toEqual(all.layers[1].heads[2].weights);
});

test('with clean context an image stands twice, and each copy is named', async () => {
  const model = modelOf({});
  const { bos, eos } = model.tokenizer.special;
  const other = { ...image, latents: testImage(2, { width: COLUMNS, height: ROWS }) };
  const document: Document = {
    parts: [
      { kind: 'text', ids: [bos] },
      { kind: 'image', ...image },
      { kind: 'image', ...other },
      { kind: 'text', ids: [eos] },
    ],
  };
  const maps = await attentionMaps({ backend, model, document, imageContext: 'clean', layers: [0], timestep: 9 });
  const of = (image: number) => maps.places.filter((place) => place.kind === 'patch' && place.image === image);
  for (const image of maps.images.keys()) expect(of(image)).toHaveLength(6);
  const timesteps = [0, 1].map((part) =>
    maps.images.flatMap(({ index, timestep }) => (index === part ? timestep : [])),
  );
  expect(timesteps.map((each) => each.sort((a, b) => a - b))).toEqual([
    [-1, 9],
    [-1, 9],
  ]);
});

test('where images are tokens their codes are named as patches, and look as text does', async () => {
  const { patchSize, patchValues, ...sizes } = tinyConfig().model;
  const model = { ...sizes, vocabularySize: 264 + tinyVq.num_vq_embeddings, images: 'tokens' as const };
  const config = tinyConfig({ codec: autoencoderCodec(tinyVq), model, image: { size: 4 } });
  const tokenizer = tokenizerOf(config);
  const codes = { height: 2, width: 2, latents: Float32Array.of(3, 0, 15, 7) };
  const { special } = tokenizer;
  const maps = await attentionMaps({
    ...{ backend, model: { config, parameters: tinyParameters(backend, config), tokenizer } },
    document: captionDocument({ captionIds: tokenizer.encode('a'), image: codes, order: 'image-first', special }),
  });
  expect(shown(maps).slice(2, 6)).toEqual(['0:0,0', '0:0,1', '0:1,0', '0:1,1']);
  expect(maps.places.filter(({ kind }) => kind === 'token')).toHaveLength(5);
  expect(maps.images).toEqual([{ index: 0, rows: 2, columns: 2, timestep: -1 }]);
  const sees = maps.places.map((_, i) => maps.places.map((_, j) => j <= i));
  for (const { weights } of maps.layers[0].heads) checkRows(weights, sees);
});

test('what is not there is refused', async () => {
  const model = modelOf({});
  const document = documentOf(model, 'drawing');
  const refused = (options: object) => expect(attentionMaps({ backend, model, document, ...options })).rejects;
  await refused({ layers: [2] }).toThrow(/ATTENTION_CHOICE: attentionMaps: there is no layer 2, the model has 2/);
  await refused({ heads: [0.5] }).toThrow(/there is no head 0.5, the model has 4/);
  await refused({ heads: [] }).toThrow(/no head is asked for/);
  await refused({ timestep: 1000 }).toThrow(/there is no timestep 1000, the model has 1000/);
  const ids = new Array<number>(65).fill(7);
  await refused({ document: { parts: [{ kind: 'text', ids }] } }).toThrow(
    /ATTENTION_POSITIONS: attentionMaps: the document takes 65 positions, the model has 64/,
  );
});
