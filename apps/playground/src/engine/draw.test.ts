/** @file Pictures tell how they were drawn, and are drawn again by it. */
import { decodePng, squareImage } from '@transfusion/data';
import { readDrawing } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { draw } from './draw.js';
import { Gallery, pictureSettings } from './gallery.js';
import { type OpenModel, openModelFiles } from './open-model.js';
import { ProfiledBackend } from './profiling.js';
import type { DrawRequest, DrawStep } from './protocol.js';
import { MemoryStore } from './storage.js';
import { tinyFiles } from './testing/model.js';

let backend: ProfiledBackend;
let inner: Backend;
let model: OpenModel;
beforeAll(async () => {
  inner = await openWasm({ threads: 1, fusedMultiplyAdd: false });
  backend = new ProfiledBackend(inner);
  const about = { name: 'tiny', origin: 'shipped' as const, suggestions: [] };
  model = await openModelFiles({ id: 'shipped', files: tinyFiles(), about, backend });
});
afterAll(() => backend.dispose());

const request: DrawRequest = { prompt: 'red', seed: 5, count: 2, image: { steps: 6, guidance: 2 } };

test('previews come while it forms, and the file has the pixels and the settings', async () => {
  const steps: DrawStep[] = [];
  const drawn = await draw({ model, request, backend: 'wasm', onStep: (step) => steps.push(step) });
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(steps[0].previews).toHaveLength(2);
  expect(drawn).toHaveLength(2);
  const [, { png, picture }] = drawn;
  const settings = readDrawing(png, 'picture');
  expect(settings).toMatchObject({ command: 'generate', prompt: 'red', seed: 5, n: 2, index: 1, model: model.hashes });
  // A file to look at: each pixel is a square, whose mean it is.
  const file = decodePng(png);
  expect(file.width).toBe(256);
  const small = squareImage(file, 4);
  small.data.forEach((value, i) => expect(Math.abs(value - picture.data[i])).toBeLessThan(1.01 / 255));
  const { image } = pictureSettings(png, 'picture', model);
  const [, again] = await draw({ model, request: { ...request, image }, backend: 'wasm' });
  expect(again.picture).toEqual(picture);
});

test('a mask keeps what it does not cover, bit for bit', async () => {
  const [{ picture }] = await draw({ model, request, backend: 'wasm' });
  const mask = new Uint8Array(16).fill(1, 0, 8);
  const [{ picture: repainted, png }] = await draw({
    model,
    request: { ...request, count: 1, prompt: 'blue', from: picture, mask },
    backend: 'wasm',
  });
  expect(repainted.data.slice(24)).toEqual(picture.data.slice(24));
  expect(repainted.data.slice(0, 24)).not.toEqual(picture.data.slice(0, 24));
  expect(readDrawing(png, 'picture')).toMatchObject({ from: { name: 'picture' }, mask: { name: 'mask' } });
});

test('it can be stopped between two steps', async () => {
  const controller = new AbortController();
  const onStep = ({ step }: DrawStep) => {
    if (step === 2) controller.abort();
  };
  const stopped = draw({ model, request, backend: 'wasm', onStep, signal: controller.signal });
  await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
});

test('the gallery keeps the files, newest first, and only so many', async () => {
  const store = new MemoryStore();
  const gallery = new Gallery(store);
  const drawn = await draw({ model, request, backend: 'wasm' });
  const added = await gallery.add(drawn, request, model);
  const listed = await gallery.list(model);
  expect(listed.map(({ id }) => id)).toEqual(added.map(({ id }) => id));
  expect(listed[0]).toMatchObject({ prompt: 'red', seed: 5, settings: { sameModel: true } });
  for (let i = 0; i < 25; i++) await gallery.add(drawn, request, model);
  expect(await store.list('gallery')).toHaveLength(48);
  store.write = async () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  // Without room for its file a picture is shown all the same.
  expect(await gallery.add(drawn.slice(1), request, model)).toMatchObject([{ prompt: 'red', isKept: false }]);
  delete (store as Partial<MemoryStore>).write;
  await store.write('gallery/0.png', Uint8Array.of(1));
  expect(await gallery.list(model)).toHaveLength(48);
});

test('profiling tells the time of all kernels, and changes no pixel', async () => {
  const drawing = () => model.sampler.drawImages({ prompts: ['red'], steps: 3 });
  const plain = await drawing();
  let profiled: Awaited<ReturnType<typeof drawing>> = [];
  const { rows, milliseconds } = await backend.profile('a drawing', async () => {
    profiled = await drawing();
  });
  expect(profiled).toEqual(plain);
  expect(rows.map(({ kind }) => kind)).toContain('attention');
  expect(rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1, 6);
  expect(rows.reduce((sum, row) => sum + row.milliseconds, 0)).toBeCloseTo(milliseconds, 6);
});
