/** A study as a whole, of models that are small enough for a test. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng } from '@transfusion/data';
import { run } from '../main.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-study-'));
  // Progress goes there.
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const sizes = ['layers=1', 'channels=16', 'heads=2', 'feedForward=24'].map((size) => `model.${size}`);
const study = {
  title: 'Two of them',
  preset: 'demo',
  set: [
    ...['diffusion.schedule=cosine', 'diffusion.parameterisation=epsilon', 'sampling.scheduler=ddpm'],
    ...['codec=null', 'patchSize=4', 'steps=6', 'sampling.steps=2', 'logEvery=3', 'batch.rows=2'],
    ...['data.imageSize=8', 'data.demoSet=3', 'tokenizer.vocabularySize=270', ...sizes],
  ],
  variants: [
    { name: 'plain', is: 'as it is', drawings: [{ scheduler: 'ddpm' }, { scheduler: 'dpmpp_2m', steps: 3 }] },
    { name: 'normed', is: 'with norms of queries and keys', set: ['model.qkNorm=true'] },
  ],
};

async function runStudy(content: unknown = study, to = join(folder, 'out')) {
  const file = join(folder, 'study.json');
  await writeFile(file, JSON.stringify(content));
  const [out, log]: string[][] = [[], []];
  const code = await run(['study', file, '--out', to, '--backend', 'wasm', '--threads', '1'], {
    out: (text) => void out.push(text),
    log: (text) => void log.push(text),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), log: log.join('\n') };
}

test('one row for each way to draw, of models that were trained alike; what is done is not trained again', async () => {
  const { code, out } = await runStudy();
  expect(code).toBe(0);
  const rows = out
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  const cells = rows.map((row) => row.split(' | '));
  expect(cells.map(([is, sampler]) => [is, sampler])).toEqual([
    ['| as it is', 'ddpm, 2 steps, guidance 3'],
    ['| as it is', 'dpmpp_2m, 3 steps, guidance 3'],
    ['| with norms of queries and keys', 'ddpm, 2 steps, guidance 3'],
  ]);
  const json = JSON.parse(await readFile(join(folder, 'out', 'study.json'), 'utf8'));
  expect(json.rows.map(({ steps }: { steps: number }) => steps)).toEqual([6, 6, 6]);
  // Two layers' gains of 8 for queries and keys of one block.
  expect(json.rows[2].parameters - json.rows[0].parameters).toBe(16);
  expect(json.rows[0].error).not.toBe(json.rows[1].error);
  // Three rows of three pictures of 8 pixels, each eight times as large.
  const picture = decodePng(await readFile(join(folder, 'out', 'pictures.png')));
  expect(picture).toMatchObject({ width: 3 * 68 + 4, height: 3 * 68 + 4 });

  const weights = join(folder, 'out', 'plain', 'model', 'model.safetensors');
  const { mtimeMs } = await stat(weights);
  const again = await runStudy();
  expect([again.code, again.out]).toEqual([0, out]);
  expect((await stat(weights)).mtimeMs).toBe(mtimeMs);

  const longer = await runStudy({ ...study, set: [...study.set, 'steps=9'] });
  expect([longer.code, longer.log]).toEqual([2, expect.stringMatching(/RUN_EXISTS: .*plain holds a run of another/)]);
  expect((await stat(weights)).mtimeMs).toBe(mtimeMs);
}, 60_000);

test.each([
  ['a preset that there is not', { ...study, preset: 'demonstration' }, "there is no preset 'demonstration'"],
  [
    'a field that there is not',
    { ...study, variants: [{ name: 'a', is: '', set: ['step=3'] }] },
    'study.json, variant a, with its set, has a problem:\n  step: unknown key',
  ],
  [
    'no value',
    { ...study, variants: [study.variants[0], { name: 'a', is: '', set: ['steps'] }] },
    'study.json, variant a: --set steps: expected key=value',
  ],
  ['two of one name', { ...study, variants: [study.variants[0], study.variants[0]] }, 'two variants have one name'],
  ['nothing to compare', { ...study, variants: [] }, 'variants'],
  [
    'a sampler of another schedule',
    { ...study, variants: [...study.variants, { name: 'b', is: '', drawings: [{ scheduler: 'euler' }] }] },
    'study.json, variant b: euler is defined on the flow schedule',
  ],
])('refused before anything is trained: %s', async (_, content, message) => {
  const { code, log } = await runStudy(content);
  expect([code, log]).toEqual([2, expect.stringContaining(message)]);
});

test('a folder that is a run itself is not taken for that of a study', async () => {
  const out = join(folder, 'out', 'plain');
  const before = (await readdir(out)).sort();
  const { code, log } = await runStudy(study, out);
  expect([code, log]).toEqual([2, expect.stringMatching(/RUN_EXISTS: .*plain is the folder of a run/)]);
  expect((await readdir(out)).sort()).toEqual(before);
});

test('a model of tokens is drawn as such, beside one that denoises', async () => {
  const set = ['codec=emoji-64-vq', 'model.images=tokens', 'data.imageSize=64', 'data.demoSet=2', 'steps=3'];
  const drawings = [{ temperature: 0, guidance: 1 }, {}];
  const variants = [
    { name: 'tokens', is: 'as tokens', set, drawings },
    { ...study.variants[1], name: 'denoised' },
  ];
  const { code, out } = await runStudy({ ...study, variants });
  expect(code).toBe(0);
  const rows = out.split('\n').filter((line) => line.startsWith('| '));
  expect(rows[2]).toMatch(/^\| as tokens \| tokens, temperature 0, guidance 1 \| .* \d\.\d{4} per token \|/);
  expect(rows[3]).toMatch(/^\| as tokens \| tokens, temperature 1, guidance 3 \|/);
  expect(rows[4]).toMatch(/ \| ddpm, 2 steps, guidance \d \| /);
}, 60_000);
