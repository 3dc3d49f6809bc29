import { countParameters } from '@transfusion/nn';
import { type ModelPreset, modelConfigSchema, modelPresets, transfusionSpec } from './index.js';

describe("the paper's presets", () => {
  const presets: [ModelPreset, number, number, number][] = [
    // Core and total (with both embeddings) in billions, from Table 2's sizes; what the linear patcher adds, in percent.
    ['0.16b', 0.1133, 0.1624, 0.516],
    ['0.37b', 0.3083, 0.3739, 0.369],
    ['0.76b', 0.6796, 0.7779, 0.367],
    ['1.4b', 1.2332, 1.3643, 0.356],
    ['7b', 6.4763, 6.7384, 0.269],
  ];
  // Zhou et al., Table 7.
  const published = ['0.5', '0.4', '0.4', '0.4', '0.3'];

  test.each(presets)('%s has the parameters of the paper', (name, core, total, extra) => {
    const specs = transfusionSpec(modelConfigSchema.parse(modelPresets[name]));
    const { blocks, norm, tokenEmbedding, languageHead, timestepEmbedding, patchIn, patchOut } = specs;
    const coreCount = countParameters({ blocks, norm });
    const totalCount = coreCount + countParameters({ tokenEmbedding, languageHead });
    const extraCount = countParameters({ timestepEmbedding, patchIn, patchOut });
    expect((coreCount / 1e9).toFixed(4)).toBe(core.toFixed(4));
    expect((totalCount / 1e9).toFixed(4)).toBe(total.toFixed(4));
    expect(countParameters(specs)).toBe(totalCount + extraCount);
    const percent = (100 * extraCount) / totalCount;
    expect(percent.toFixed(3)).toBe(extra.toFixed(3));
    expect(percent.toFixed(1)).toBe(published[presets.findIndex(([each]) => each === name)]);
  });
});

test.each(Object.keys(modelPresets) as ModelPreset[])('preset %s is a whole configuration', (name) => {
  const config = modelConfigSchema.parse({ vocabularySize: 300, patchValues: 48, ...modelPresets[name] });
  expect(countParameters(transfusionSpec(config))).toBeGreaterThan(0);
});

describe('variants', () => {
  const base = { ...modelPresets.nano, vocabularySize: 30, patchValues: 12 };

  test("the paper's are the defaults", () => {
    const { imageAttention, imagePositions, feedForwards } = modelConfigSchema.parse(base);
    expect([imageAttention, imagePositions, feedForwards]).toEqual(['bidirectional', '1d', 'shared']);
    expect(transfusionSpec(modelConfigSchema.parse(base)).blocks[0]).not.toHaveProperty('imageFeedForward');
  });

  test('a feed-forward for each modality adds a SwiGLU to each block, and nothing else', () => {
    const count = (changes: object) =>
      countParameters(transfusionSpec(modelConfigSchema.parse({ ...base, ...changes })));
    const { layers, channels, feedForward } = modelPresets.nano;
    expect(count({ feedForwards: 'per-modality' }) - count({})).toBe(layers * 3 * channels * feedForward);
    expect(count({ imageAttention: 'causal', imagePositions: '2d', patchCoordinates: 'sinusoidal' })).toBe(count({}));
  });
});

describe('transfusionSpec', () => {
  const base = { vocabularySize: 30, layers: 2, channels: 16, heads: 4, feedForward: 24, patchValues: 12 };

  test('grouped key and value heads, and QK-norm, have the shapes they need', () => {
    const { attention } = transfusionSpec(modelConfigSchema.parse({ ...base, kvHeads: 2, qkNorm: true })).blocks[0];
    expect(attention.query.shape).toEqual([16, 16]);
    expect(attention.key.shape).toEqual([8, 16]);
    expect(attention.value.shape).toEqual([8, 16]);
    expect(attention.queryNorm?.shape).toEqual([4]);
    expect(transfusionSpec(modelConfigSchema.parse(base)).blocks[0].attention.queryNorm).toBeUndefined();
  });

  test('embeddings are not tied and the prediction head starts at zero', () => {
    const { tokenEmbedding, languageHead, patchOut } = transfusionSpec(modelConfigSchema.parse(base));
    expect(tokenEmbedding).not.toBe(languageHead);
    expect(patchOut!.weight.initialiser).toEqual({ kind: 'normal', std: 0 });
  });

  test.each(['tokens', 'none'] as const)(
    'with images: %s, there is nothing for patches; all else is the same',
    (images) => {
      const { patchValues, ...sizes } = base;
      const { timestepEmbedding, patchIn, patchOut, ...backbone } = transfusionSpec(modelConfigSchema.parse(base));
      const spec = transfusionSpec(modelConfigSchema.parse({ ...sizes, images }));
      expect(spec).toEqual(backbone);
      expect(Object.keys(spec)).toEqual(['tokenEmbedding', 'blocks', 'norm', 'languageHead']);
    },
  );

  test.each([
    ['patcher', { kind: 'linear', bottleneck: 4 }],
    ['patcher', { kind: 'unet' }],
    ['imageAttention', 'causal'],
    ['imagePositions', '2d'],
    ['patchCoordinates', 'sinusoidal'],
    ['feedForwards', 'per-modality'],
  ])('where there are no patches, %s is refused by name', (name, value) => {
    const { patchValues, ...sizes } = base;
    for (const images of ['tokens', 'none']) {
      const { issues } = modelConfigSchema.safeParse({ ...sizes, images, [name]: value }).error!;
      expect(issues).toEqual([
        expect.objectContaining({
          path: [name],
          message: expect.stringMatching(`images is '${images}': leave it out, or choose images: 'diffusion'`),
        }),
      ]);
    }
  });

  test.each([
    ['patches of images that are tokens', { images: 'tokens' }],
    ['patches of no images', { images: 'none', patchSize: 2 }],
    ['an unknown norm', { norm: 'middle' }],
    ['a head dimension that is no whole number', { channels: 18 }],
    ['an odd head dimension', { channels: 12 }],
    ['key heads that do not divide heads', { kvHeads: 3 }],
    ['an unknown field', { chanels: 16 }],
    ['an odd timestep embedding', { timestepDimensions: 7 }],
    ['no layers', { layers: 0 }],
  ])('refuses %s', (_, change) => {
    expect(modelConfigSchema.safeParse({ ...base, ...change }).success).toBe(false);
  });
});
