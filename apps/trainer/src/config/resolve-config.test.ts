import { presets } from '../presets/index.js';
import { changeConfig, resolveConfig } from './resolve-config.js';
import { runConfigSchema } from './run-config.js';

const resolved = (...set: string[]) => resolveConfig({ schema: runConfigSchema, presets }, { set });

test('a folder, which may grow, is split by name; datasets that never change as they always were', async () => {
  expect((await resolved('data.dataset=folder')).data.heldOutBy).toBe('name');
  expect((await resolved()).data.heldOutBy).toBe('list');
  expect((await resolved('data.dataset=folder', 'data.heldOutBy=list')).data.heldOutBy).toBe('list');
});

test('a run from before there was a choice keeps its split when it is resumed', () => {
  const before = runConfigSchema.parse({ data: { dataset: 'folder', folder: 'a' } });
  expect(changeConfig(runConfigSchema, before, ['steps=7']).data.heldOutBy).toBeNull();
});

test('the learning rate is fitted to the steps once, and kept', async () => {
  const first = await resolved('steps=1000');
  expect(first.learningRate).toMatchObject({ warmupSteps: 16, totalSteps: 1000 });
  expect(changeConfig(runConfigSchema, first, ['steps=9000']).learningRate).toEqual(first.learningRate);
});
