import { flattenTree, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import {
  initialise,
  linearLayers,
  linearSpec,
  loraSpec,
  mergedWeight,
  swigluSpec,
  targetedLayers,
  vector,
  weight,
} from './index.js';
import { lowRankSuite } from './testing/low-rank-suite.js';

describe('on wasm', () => lowRankSuite(() => openWasm({ threads: 2 })));

const specs = {
  embedding: weight([50, 12], 1),
  blocks: [0, 1].map(() => ({
    norm: vector(12, 1),
    ff: swigluSpec({ channels: 12, hidden: 20, std: 1, outputStd: 1 }),
  })),
  patchIn: linearSpec({ inputs: 8, outputs: 12, std: 1 }),
  languageHead: linearSpec({ inputs: 12, outputs: 50, std: 1 }),
};
const layers = linearLayers(specs);

test('linear layers are named by module, an embedding is none of them', () => {
  expect([...layers.keys()]).toEqual([
    ...[0, 1].flatMap((i) => ['gate', 'up', 'down'].map((name) => `blocks.${i}.ff.${name}`)),
    ...['patchIn', 'languageHead'],
  ]);
  expect(layers.get('patchIn')).toEqual({ outputs: 12, inputs: 8 });
});

describe('targets', () => {
  test.each<[string[] | 'all-linear', string[]]>([
    [['gate'], ['blocks.0.ff.gate', 'blocks.1.ff.gate']],
    [
      ['ff.up', 'patchIn'],
      ['blocks.0.ff.up', 'blocks.1.ff.up', 'patchIn'],
    ],
    [['blocks.1.*'], ['blocks.1.ff.gate', 'blocks.1.ff.up', 'blocks.1.ff.down']],
    [['blocks.*.down'], ['blocks.0.ff.down', 'blocks.1.ff.down']],
    [['languageHead'], ['languageHead']],
    ['all-linear', [...layers.keys()].filter((path) => path !== 'languageHead')],
  ])('%j', (targets, expected) => expect(targetedLayers(targets, layers)).toEqual(expected));

  test.each<[string[], RegExp]>([
    [['gate', 'dwon'], /LORA_TARGETS: .*"dwon"\n.*nearest: down/],
    // An end of a name is no name, and a dot is a dot.
    [['ate'], /LORA_TARGETS/],
    [['ff_up'], /LORA_TARGETS/],
    [['embedding'], /LORA_TARGETS: .*"embedding"[\s\S]*languageHead/],
    [[], /LORA_TARGETS: there is no target/],
  ])('%j is refused', (targets, message) => expect(() => targetedLayers(targets, layers)).toThrow(message));

  test('a rank above the shorter side of a layer is refused by its name', () => {
    expect(() => loraSpec(specs, { rank: 8, targets: ['patchIn'] })).not.toThrow();
    expect(() => loraSpec(specs, { rank: 9, targets: ['gate', 'patchIn'] })).toThrow(
      /LORA_RANK: patchIn is \[12, 8\], a rank of 9 .*\n.*8 at most/,
    );
  });
});

test("A starts with the variance of PEFT's Kaiming initialisation, 1 / (3 inputs), and B at zero", () => {
  const wide = { layer: linearSpec({ inputs: 400, outputs: 30, std: 1 }) };
  const spec = loraSpec(wide, { rank: 20, targets: 'all-linear' });
  const values = flattenTree<Float32Array>(initialise(spec, 3), (value) => value instanceof Float32Array);
  expect([...values.keys()]).toEqual(['layer.a', 'layer.b']);
  const a = values.get('layer.a')!;
  expect(a.length).toBe(20 * 400);
  const variance = a.reduce((sum, x) => sum + x * x, 0) / a.length;
  expect(Math.abs(variance * 3 * 400 - 1)).toBeLessThan(4 * Math.sqrt(2 / a.length));
  expect(new Set(values.get('layer.b'))).toEqual(new Set([0]));
});

test('merged and taken out again, weights are the same but for one rounding of each', () => {
  const random = new PhiloxStream(1);
  const array = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const [outputs, inputs, rank, scale] = [9, 11, 3, 0.7];
  const [w, a, b] = [array(outputs * inputs), array(rank * inputs), array(outputs * rank)];
  const merged = mergedWeight(w, { a, b }, { rank, scale });
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      let delta = 0;
      for (let r = 0; r < rank; r++) delta += b[o * rank + r] * a[r * inputs + i];
      expect(merged[o * inputs + i]).toBe(Math.fround(w[o * inputs + i] + scale * delta));
    }
  }
  const back = mergedWeight(merged, { a, b }, { rank, scale: -scale });
  // Half a unit of the last place of what was rounded, twice.
  back.forEach((value, i) => {
    const unit = 2 ** -24 * (Math.abs(merged[i]) + Math.abs(w[i]));
    expect(Math.abs(value - w[i])).toBeLessThanOrEqual(2 * unit);
  });
});
