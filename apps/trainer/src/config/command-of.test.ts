import { transfusionKind } from '../kinds/transfusion.js';
import { presets } from '../presets/index.js';
import { trainCommandOf } from './command-of.js';
import { resolveConfig } from './resolve-config.js';

const commandOf = async (preset: string | undefined, ...set: string[]) =>
  trainCommandOf(await resolveConfig(transfusionKind, { preset, set }));

test.each(Object.keys(presets))('a preset is said by its name: %s', async (preset) => {
  expect(await commandOf(preset)).toBe(`trainer train --preset ${preset}`);
});

test('what differs is said, what follows from it is not', async () => {
  expect(await commandOf(undefined)).toBe('trainer train');
  expect(await commandOf('demo', 'steps=7', 'name=my-run')).toBe(
    'trainer train --preset demo --set name=my-run --set steps=7',
  );
  expect(await commandOf('emoji-latent', 'model.layers=8', 'data.texts=a b.jsonl', 'seed=3')).toBe(
    "trainer train --preset emoji-latent --set seed=3 --set model.layers=8 --set 'data.texts=a b.jsonl'",
  );
});

test('fields of another kind', async () => {
  expect(await commandOf('emoji-latent', 'learningRate.type=constant')).toMatch(
    /^trainer train --preset emoji-latent --set learningRate.type=constant( --set learningRate\.\w+=[\d.]+)*$/,
  );
  expect(await commandOf('demo', 'model.patcher.kind=unet')).toMatch(
    /^trainer train --preset demo --set 'model\.patcher=\{"kind":"unet",[^']*\}'$/,
  );
});
