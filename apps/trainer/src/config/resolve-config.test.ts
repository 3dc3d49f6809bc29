import { presets } from '../presets/index.js';
import { changeConfig, resolveConfig } from './resolve-config.js';
import { announcesSizes, imageSizesOf, runConfigSchema } from './run-config.js';

const resolved = (...set: string[]) => resolveConfig({ schema: runConfigSchema, presets }, { set });

test('a folder, which may grow, is split by name; datasets that never change as they always were', async () => {
  expect((await resolved('data.dataset=folder')).data.heldOutBy).toBe('name');
  expect((await resolved('data.documents=mine')).data.heldOutBy).toBe('name');
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

describe('several image sizes', () => {
  const folder = ['data.dataset=folder', 'data.folder=a'];
  const given = (sizes: string) => resolved(...folder, `data.imageSizes=${sizes}`);

  test('are announced unless told otherwise; one is not', async () => {
    const { data } = await given('["64x64","64x32"]');
    expect(imageSizesOf(data)).toEqual([
      { width: 64, height: 64 },
      { width: 64, height: 32 },
    ]);
    expect(announcesSizes(data)).toBe(true);
    expect(announcesSizes({ ...data, announceSizes: false })).toBe(false);
    expect(announcesSizes((await given('["64x32"]')).data)).toBe(false);
    const none = (await resolved()).data;
    expect([none.imageSizes, imageSizesOf(none), announcesSizes(none)]).toEqual([null, undefined, false]);
  });

  test('that are none, are there twice, or belong to another dataset are refused by name', async () => {
    await expect(given('["64x64","64"]')).rejects.toThrow(
      /data\.imageSizes\.1: expected width and height from 4 to 512, such as "64x32"/,
    );
    await expect(given('["2x64"]')).rejects.toThrow(/data\.imageSizes\.0: expected width and height from 4 to 512/);
    await expect(given('["64x64","32x32","64x64"]')).rejects.toThrow(/data\.imageSizes\.2: 64x64 is there twice/);
    await expect(given('[]')).rejects.toThrow(/data\.imageSizes/);
    await expect(resolved('data.imageSizes=["64x64"]')).rejects.toThrow(
      /data\.imageSizes: is for pictures of your own, dataset=folder or documents; those of emoji are of one size, imageSize/,
    );
  });
});
