/** @file `sampler edit`. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { decodePng } from '@transfusion/data';
import { readImage } from '@transfusion/data/node';
import { createSampler, readDrawing } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';
import { CPU, inFolderWithModel, runSampler, toldCommand } from './testing/run-sampler.js';

const place = inFolderWithModel();

const sampler = (...argv: string[]) => runSampler(argv);
const generate = (...more: string[]) => sampler('generate', '--model', place.model, ...CPU, ...more);
const read = async (path: string) => decodePng(await readFile(path));
const noTemporaryFiles = async () =>
  expect((await readdir(place.folder, { recursive: true })).filter((name) => name.endsWith('.tmp'))).toEqual([]);

describe('edit', () => {
  const edit = (...more: string[]) => sampler('edit', '--model', place.model, ...CPU, '--steps', '2', ...more);

  test('draws what the library draws, of this image and this prompt', async () => {
    await generate('--prompt', 'x', '--out', 'given.png', '--scale', '3');
    await generate('--prompt', 'y', '--out', 'else.png', '--seed', '3');
    const result = await edit('--image', 'given.png', '--prompt', 'red', '--out', 'made/e.png', '--scale', '2');
    expect(result).toMatchObject({ code: 0, out: 'made/e.png' });
    const backend = await openWasm({ threads: 1 });
    const library = createSampler({ backend, ...(await openModelFolder(place.model, backend)) });
    const images = [{ width: 8, height: 8, data: await readImage('given.png', 8) }];
    const [{ data }] = await library.editImages({ images, prompts: ['red'], steps: 2 });
    await backend.dispose();
    const drawn = await read('made/e.png');
    expect([drawn.width, drawn.height]).toEqual([16, 16]);
    const corner = (y: number, x: number) => [
      ...drawn.data.subarray(3 * (16 * 2 * y + 2 * x), 3 * (16 * 2 * y + 2 * x) + 3),
    ];
    for (const [y, x] of [
      [0, 0],
      [3, 5],
      [7, 7],
    ]) {
      const own = data.subarray(3 * (8 * y + x), 3 * (8 * y + x) + 3);
      corner(y, x).forEach((value, i) => expect(Math.abs(value - own[i])).toBeLessThan(1 / 127));
    }
    const pixels = [];
    for (const [name, more] of [
      ['a', ['given.png', 'blue']],
      ['b', ['else.png', 'red']],
      ['c', ['given.png', 'red']],
    ] as const) {
      await edit('--image', more[0], '--prompt', more[1], '--out', `e-${name}.png`);
      pixels.push((await read(`e-${name}.png`)).data.join());
    }
    expect(new Set(pixels).size).toBe(3);
    const settings = readDrawing(await readFile('e-a.png'), 'e-a.png');
    expect(settings).toMatchObject({
      command: 'edit',
      prompt: 'blue',
      edited: { name: 'given.png' },
      image: { steps: 2 },
    });
    await noTemporaryFiles();
  });

  test('--like says the command that draws it again, with every setting', async () => {
    await generate('--prompt', 'x', '--out', "it's.png");
    const prompt = 'a "red" don\'t\n\x1b[31m$HOME `ls` \\n';
    const guided = ['--guidance', '-2.5', '--negative-prompt', 'no $x', '--guidance-interval', '0.1,0.9'];
    const chosen = [...guided, '--guidance-rescale', '0.5', '--eta', '0.7', '--spacing', 'even'];
    const given = ['--image', "it's.png", '--prompt', prompt, '--seed', '5', '--scale', '2', ...chosen];
    expect(await edit(...given, '--out', 'told.png')).toMatchObject({ code: 0 });
    const told = await sampler('generate', '--like', 'told.png');
    expect(told).toMatchObject({
      code: 2,
      log: expect.stringMatching(/told\.png is what `sampler edit` made of it's\.png.*MODEL is the one that drew it/s),
    });
    expect(told.log).not.toContain('\x1b[31m$HOME');
    const command = toldCommand(told.log).map((word) => (word === 'MODEL' ? place.model : word));
    expect(await sampler(...command, ...CPU)).toMatchObject({ code: 0, out: 'told-again.png' });
    expect(await readFile('told-again.png')).toEqual(await readFile('told.png'));
  });

  test('what cannot be: exit 2, or 1 before the model is read', async () => {
    const common = ['--prompt', 'a', '--image'];
    expect(await edit(...common, 'nowhere.png', '--out', 'n.png')).toMatchObject({
      ...{ code: 2, log: expect.stringMatching(/IMAGE_UNREADABLE: nowhere\.png/) },
    });
    expect(await edit(...common, 'a.png', '--out', 'n.jpg')).toMatchObject({
      ...{ code: 2, log: expect.stringContaining('use --out n.png') },
    });
    await writeFile('flat', '');
    expect(await sampler('edit', '--model', 'nothing', ...common, 'a.png', '--out', 'flat/a.png')).toMatchObject({
      ...{ code: 1, log: expect.stringContaining('OUTPUT_UNWRITABLE') },
    });
    expect(await edit('--prompt', 'a', '--out', 'n.png')).toMatchObject({
      code: 2,
      log: expect.stringContaining('--image'),
    });
  });
});
