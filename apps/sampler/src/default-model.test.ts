/** @file Without --model: the model that is shipped, if it has weights, else the demo's; by name with --model. */
import { readFile, rm } from 'node:fs/promises';
import { decodePng } from '@transfusion/data';
import { namedAfter } from './output-file.js';
import { CPU, inFolderWithModel, runSampler } from './testing/run-sampler.js';
import { writeTinyModelFolder } from './testing/tiny-model-folder.js';

const NAME = '@transfusion/emoji-64';
const place = inFolderWithModel();
const sampler = (...argv: string[]) => runSampler([...argv, ...CPU]);
const told = (model: string) => new RegExp(`^no --model is given: using ${model}$`, 'm');

afterEach(async () => {
  await rm('runs', { recursive: true, force: true });
  await rm(place.shipped, { recursive: true, force: true });
});

test('there is neither', async () => {
  const { code, log } = await sampler('info');
  expect(code).toBe(2);
  expect(log).toMatch(
    /MODEL_MISSING: no --model is given, @transfusion\/emoji-64 has no weights, .*runs\/demo\/model\n.*npm run demo/s,
  );
  expect(await sampler('info', '--model', NAME)).toMatchObject({
    code: 2,
    log: expect.stringMatching(/MODEL_NAME: the package/),
  });
});

test("the demo's, while the package has no weights", async () => {
  await writeTinyModelFolder('runs/demo/model');
  const { out, log } = await sampler('info');
  expect(out).toMatch(/^model {7}runs\/demo\/model$/m);
  expect(log).toMatch(told('runs/demo/model'));
});

test("the shipped one comes before the demo's, in every command", async () => {
  await writeTinyModelFolder('runs/demo/model');
  await writeTinyModelFolder(place.shipped, undefined, undefined, { layers: 2 });
  const info = await sampler('info');
  expect(info.out).toMatch(/^model .*emoji-64.model$/m);
  expect(info.out).toMatch(/^transformer 2 layers/m);
  const commands = [
    ['generate', '--prompt', 'red', '--out', 'a.png', '--steps', '2'],
    ['caption', '--image', 'a.png', '--max-tokens', '2'],
    ['edit', '--image', 'a.png', '--prompt', 'blue', '--out', 'b.png', '--steps', '2'],
    ['continue', '--text', 'a', '--out', 'c', '--max-tokens', '2', '--max-images', '0'],
  ];
  for (const command of commands) {
    const { code, log } = await sampler(...command);
    expect(log).toMatch(told(NAME));
    expect(code).toBe(0);
  }
  // A name is as good as a path, and neither is told.
  const again = await sampler('generate', '--model', NAME, '--prompt', 'red', '--out', 'd.png', '--steps', '2');
  expect(again).toMatchObject({ code: 0, log: expect.not.stringContaining('--model') });
  expect(decodePng(await readFile('d.png'))).toEqual(decodePng(await readFile('a.png')));
  expect((await sampler('generate', '--like', 'a.png', '--out', 'e.png')).code).toBe(0);
  const other = await sampler('generate', '--model', 'runs/demo/model', '--like', 'a.png', '--out', 'f.png');
  expect(other).toMatchObject({ code: 2, log: expect.stringContaining('DRAWING_MODEL') });
});

test('a picture without --out is named after its prompt, and replaces none', async () => {
  await writeTinyModelFolder(place.shipped);
  const draw = (prompt: string) => sampler('generate', '--steps', '1', '--prompt', prompt);
  expect((await draw('Red heart, 3D style')).out).toBe('red-heart-3d-style.png');
  expect((await draw('red heart 3d style')).out).toBe('red-heart-3d-style.2.png');
  expect((await draw('../Ärger: 一')).out).toBe('ärger-一.png');
  expect((await draw('')).out).toBe('image.png');
  expect(namedAfter('ab'.repeat(200))).toBe(`${'ab'.repeat(30)}.png`);
});
