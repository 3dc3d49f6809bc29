/** @file The engine as a whole, on the CPU: without a model, with one, and after its device was lost. */
import { Engine } from './engine.js';
import type { GivenFile } from './protocol.js';
import { tinyFiles } from './testing/model.js';

const given: GivenFile[] = [...tinyFiles()].map(([name, bytes]) => {
  return { path: `tiny/${name}`, file: new Blob([bytes as Uint8Array<ArrayBuffer>]) };
});
const request = { prompt: 'red', seed: 1, count: 1, image: { steps: 3 } };
const nothing = () => {};

async function started(): Promise<Engine> {
  const engine = new Engine();
  // Nothing answers there: a page that was published without anything.
  const start = await engine.start({ backend: 'wasm', threads: 1, base: 'http://127.0.0.1:9/' });
  expect(start).toMatchObject({ value: { name: 'wasm', gpu: false, keeps: false } });
  return engine;
}

test('without a model it says so, and what to do', async () => {
  const engine = await started();
  expect(await engine.openModel(undefined, nothing)).toEqual({ value: undefined });
  expect(await engine.draw(request, nothing)).toMatchObject({
    trouble: { code: 'NO_MODEL', message: 'No model is open.', advice: expect.stringMatching(/train one/) },
  });
  const presets = await engine.presets();
  expect(presets).toMatchObject({
    value: [{ id: 'sharp', unavailable: expect.any(String) }, { id: 'pixels' }, {}, {}],
  });
  await engine.loseDevice();
});

test('a device that is lost is opened anew, with the model on it', async () => {
  const engine = await started();
  expect(await engine.importModel('tiny', given)).toMatchObject({ value: { name: 'tiny', width: 4 } });
  const before = await engine.draw(request, nothing);
  await engine.loseDevice();
  expect(await engine.draw(request, nothing)).toMatchObject({
    trouble: { advice: expect.stringMatching(/goes on with a fresh one/) },
  });
  const after = await engine.draw(request, nothing);
  if (!('value' in before) || !('value' in after)) throw new Error('it did not draw');
  expect(after.value[0].picture).toEqual(before.value[0].picture);
  await engine.loseDevice();
});

test('another drawing stops the one before, which is no trouble of its own', async () => {
  const engine = await started();
  await engine.importModel('tiny', given);
  const first = engine.draw({ ...request, image: { steps: 500 } }, nothing);
  const second = engine.draw(request, nothing);
  expect(await first).toMatchObject({ trouble: { code: 'AbortError' } });
  expect(await second).toMatchObject({ value: [{ prompt: 'red' }] });
  const stopped = engine.describe({ width: 4, height: 4, data: new Float32Array(48) }, 1, 1, nothing);
  engine.stop('describe');
  expect(await stopped).toMatchObject({ trouble: { code: 'AbortError' } });
  await engine.loseDevice();
});
