import { modelConfigSchema } from '../index.js';

const base = { vocabularySize: 30, layers: 2, channels: 64, heads: 4, patchSize: 4, patchValues: 48 };
const problemsOf = (changes: object) => {
  const { error } = modelConfigSchema.safeParse({ ...base, ...changes });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const unet = (fields: object = {}) => ({ patcher: { kind: 'unet', ...fields } });

test('without a patcher it is the linear one, straight', () => {
  expect(modelConfigSchema.parse(base).patcher).toEqual({ kind: 'linear', bottleneck: null });
});

test('a configuration with its defaults is read again as it is', () => {
  const { patcher } = modelConfigSchema.parse({ ...base, ...unet() });
  expect(modelConfigSchema.parse({ ...base, patcher }).patcher).toEqual(patcher);
});

test.each([
  ['a bottleneck', { patcher: { kind: 'linear', bottleneck: 16 } }],
  ['a U-Net', unet()],
  ['widths of its own', unet({ channels: [16, 32, 96], groups: 16 })],
  ['no attention, so heads of any width', unet({ attention: [], channels: [8, 8, 8] })],
  ['layer norm, so widths of any kind', unet({ attention: [], channels: [7, 5, 3], norm: 'layer' })],
])('takes %s', (_, changes) => {
  expect(problemsOf(changes)).toEqual([]);
});

test.each([
  [
    'a bottleneck as wide as a patch',
    { patcher: { kind: 'linear', bottleneck: 48 } },
    'patcher.bottleneck: must be narrower than the 48 values of a patch: at most 47 would fit',
  ],
  [
    'a bottleneck as wide as the model',
    { patcher: { kind: 'linear', bottleneck: 70 }, patchSize: 8, patchValues: 192 },
    "patcher.bottleneck: must be narrower than the model's 64 channels: at most 63 would fit",
  ],
  [
    'a U-Net with 1x1 patches',
    { ...unet(), patchSize: 1, patchValues: 3 },
    'patcher.kind: a U-Net with 1x1 patches has nothing to halve: linear would fit, or patches of 2',
  ],
  [
    'patches that halving does not give',
    { ...unet(), patchSize: 6, patchValues: 108 },
    'patcher.kind: a U-Net halves the image, so patches of 6 do not fit: 4 or 8 would',
  ],
  [
    'too few widths',
    unet({ channels: [32, 64] }),
    "patcher.channels: must have 3 widths for patches of 4, one for each resolution from the latents' to the patches'",
  ],
  [
    'a level that is not there',
    unet({ attention: [1, 3] }),
    'patcher.attention: there is no level 3: with patches of 4, 0 to 2',
  ],
  [
    'groups that do not divide',
    unet({ channels: [16, 32, 48], groups: 32, headDim: 16 }),
    'patcher.groups: the groups of group norm must divide the widths 16, 32, 48: 16 would',
  ],
  [
    'heads that do not divide',
    unet({ channels: [16, 32, 48] }),
    'patcher.headDim: the width of a head must divide the widths 32, 48: 16 would',
  ],
])('refuses %s', (_, changes, problem) => {
  expect(problemsOf(changes)).toEqual([problem]);
});
