/** @file How good a model is, from the trainer: a run of everything, on cells that are held out; then what is refused and kept. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluationSchema, type Score } from '../apps/trainer/src/report/evaluation-file';
import { findAll, parsePage } from '../apps/trainer/src/report/testing/html';
import { decodePng, encodePng } from '../packages/data/src/index';
import { quietProgress, temporaryFolder, tiny, tinyEvaluator, trainer } from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const words = join(folder, 'words.jsonl');
const wordsText = 'words of no picture, number ';
writeFileSync(words, Array.from({ length: 60 }, (_, i) => JSON.stringify({ text: `${wordsText}${i}` })).join('\n'));
// Of 250 pictures 26 are of letters that one style draws.
const cells = {
  ...{ 'data.dataset': 'emoji-all', 'data.demoSet': null, 'data.count': 250, 'data.heldOutBy': 'cells' },
  ...{ 'data.texts': words, 'data.heldOutFraction': 0.1, steps: 3 },
};
const encoder = join(runs, 'encoder', 'model');
const evaluate = (name: string, ...more: string[]) =>
  trainer(['evaluate', '--run', join(runs, name), '--backend', 'wasm', '--threads', '2', '--steps', '2', ...more]);
const sweep = ['--sweep-count', '3', '--sweep-steps', '2', '--sweep-guidance', '1,2', '--sweep-schedulers', 'ddim'];

const resultsIn = (out: string) =>
  evaluationSchema.parse(JSON.parse(readFileSync(join(out, 'evaluation.json'), 'utf8')));
const named = (results: readonly Score[], name: string, split: string) => {
  const found = results.filter((score) => score.name.startsWith(name) && score.split === split);
  expect([name, split, found.length]).toEqual([name, split, 1]);
  return found[0];
};

beforeAll(async () => {
  expect(await trainer(tiny(runs, 'all', cells))).toMatchObject({ code: 0 });
  expect(await trainer(tinyEvaluator(runs, 'encoder', { steps: 3 }))).toMatchObject({ code: 0 });
});

test('every part of a run on emoji whose cells are held out', async () => {
  const { code, text } = await evaluate('all', '--encoder', encoder, '--count', '8', ...sweep);
  expect([code, text]).toEqual([0, expect.stringMatching(/wrote .*report\.html and evaluation\.json/)]);
  const out = join(runs, 'all', 'evaluation');
  const { results, ...facts } = resultsIn(out);
  expect(facts).toMatchObject({ run: 'all', step: 3, seed: 0, count: 8, encoder, sampling: { steps: 2 } });

  // A model that knows nothing yet is near the uniform one, of 300 ids; the same nats per byte as by its perplexity.
  const perplexity = named(results, 'perplexity of plain texts', 'held out');
  expect(perplexity.value).toBeGreaterThan(100);
  expect(perplexity.value).toBeLessThan(600);
  const texts = (facts.details as { text: { tokens: number; bytes: number; count: number }[] }).text[0];
  const bytes = `${wordsText}0`.length * texts.count;
  expect(texts.bytes - bytes).toBeGreaterThanOrEqual(0);
  expect(texts.bytes - bytes).toBeLessThanOrEqual(texts.count);
  const bits = named(results, 'bits per byte of plain texts', 'held out');
  expect(bits.value).toBeCloseTo((Math.log2(perplexity.value) * texts.tokens) / texts.bytes, 9);

  for (const split of ['held out, composition', 'held out, new']) {
    for (const name of ['perplexity of captions, given', 'perplexity of captions alone', 'captions exactly right']) {
      expect(named(results, name, split).value).toBeGreaterThanOrEqual(0);
    }
    expect(named(results, 'edits drawn in the style asked for', split).beside).toEqual([
      { name: 'chance', value: 0.25 },
      { name: 'given back unchanged', value: 0 },
    ]);
  }
  const first = named(results, 'drawing nearest to its own picture (by features)', 'held out, composition');
  expect(first.beside.map(({ name }) => name)).toEqual([
    'chance',
    'nearest training picture in another style',
    'captions among real pictures',
    'drawings of training captions',
  ]);
  // 56 emoji in four styles, and 26 letters in one.
  expect(first.beside[0].value).toBeGreaterThan(1 / 83);
  expect(first.beside[0].value).toBeLessThan(1 / 50);
  expect(named(results, 'Fréchet distance', 'held out, composition').beside[0]).toMatchObject({
    name: 'as many training pictures',
  });

  const html = readFileSync(join(out, 'report.html'), 'utf8');
  expect(html.length).toBeLessThan(3e6);
  expect(html).not.toMatch(/(src|href)="(?!data:|#)/);
  const page = parsePage(html);
  const headings = findAll(page, 'h2').map((heading) => heading.text);
  expect(headings).toEqual([
    'Drawings',
    'Captions',
    'Edits',
    'Sampling',
    'Loss along the noise',
    'Where the model looks',
  ]);
  for (const { value, name } of results.slice(0, 3))
    expect([name, page.text.includes(name), value >= 0]).toEqual([name, true, true]);
  for (const file of ['drawings.png', 'drawings-train.png', 'edits.png']) {
    expect(decodePng(readFileSync(join(out, file))).width).toBeGreaterThan(16);
  }
  const swept = (facts.details as { sweep: { swept: unknown[] } }).sweep.swept;
  expect(swept).toHaveLength(2);
  // The card takes it as it is.
  const card = join(folder, 'README.md');
  const told = ['--model', join(runs, 'all', 'model'), '--evaluation', join(out, 'evaluation.json'), '--out', card];
  expect(await trainer(['card', ...told])).toMatchObject({ code: 0 });
  expect(readFileSync(card, 'utf8')).toContain('perplexity of plain texts');
});

test('the same command keeps what there is, --only makes it anew, and other options another evaluation', async () => {
  const given = ['--encoder', encoder, '--count', '8'];
  const again = await evaluate('all', ...given, ...sweep);
  expect([again.code, again.text]).toEqual([0, expect.stringMatching(/text: kept from before[\s\S]*attention: kept/)]);
  const before = resultsIn(join(runs, 'all', 'evaluation')).results;
  expect(await evaluate('all', ...given, '--only', 'text,edits')).toMatchObject({ code: 0 });
  expect(resultsIn(join(runs, 'all', 'evaluation')).results).toEqual(before);
  const other = await evaluate('all', ...given, '--seed', '5', '--only', 'text');
  expect(other).toMatchObject({ code: 0, text: expect.not.stringContaining('kept') });
  const { results } = resultsIn(join(runs, 'all', 'evaluation'));
  expect(new Set(results.map(({ task }) => task))).toEqual(new Set(['text-generation']));
});

test('prompts of a file are drawn, each once, beside what is there', async () => {
  const file = join(folder, 'prompts.txt');
  writeFileSync(file, 'blue heart\n\n  a <b>bold</b> cat, 3d style  \r\n');
  const out = join(runs, 'all', 'evaluation');
  const given = ['--encoder', encoder, '--count', '8', '--seed', '5', '--prompts', file];
  expect(await evaluate('all', ...given, '--only', 'prompts')).toMatchObject({ code: 0 });
  const page = parsePage(readFileSync(join(out, 'report.html'), 'utf8'));
  expect(page.text).toContain('2 prompts, each drawn once, with seed 5');
  expect(page.text).toContain('a <b>bold</b> cat, 3d style');
  expect(decodePng(readFileSync(join(out, 'prompts.png')))).toMatchObject({ height: 16 + 8 });
  writeFileSync(file, '\n');
  for (const [args, message] of [
    [given, /there is no prompt in it/],
    [['--prompts', join(folder, 'none.txt')], /none\.txt: it does not exist/],
    [['--only', 'prompts'], /no --prompts to draw/],
  ] as const) {
    expect(await evaluate('all', ...args)).toMatchObject({ code: 2, text: expect.stringMatching(message) });
  }
});

test('what was made is there when the rest is called off', async () => {
  const controller = new AbortController();
  const out = join(folder, 'stopped');
  const lines: string[] = [];
  const { run } = await import('../apps/trainer/src/main');
  const log = (line: string) => {
    lines.push(line);
    if (line.startsWith('text: ')) controller.abort();
  };
  const args = ['evaluate', '--run', join(runs, 'all'), '--backend', 'wasm', '--count', '8', '--out', out];
  expect(await run(args, { out: log, log, signal: controller.signal })).toBe(130);
  expect(lines.at(-1)).toBe('cancelled');
  expect(resultsIn(out).results.every(({ name }) => /perplexity|bits/.test(name))).toBe(true);
  expect(existsSync(join(out, 'report.html'))).toBe(true);
});

test('what does not apply is left out by name, and mistakes are told before any work', async () => {
  const squares = join(folder, 'squares');
  mkdirSync(squares);
  for (let shade = 0; shade < 8; shade++) {
    const data = new Float32Array(8 * 8 * 3).fill(shade / 4 - 1);
    writeFileSync(join(squares, `${shade}.png`), encodePng({ width: 8, height: 8, data }));
    writeFileSync(join(squares, `${shade}.txt`), `shade ${shade}`);
  }
  const own = { 'data.demoSet': null, 'data.dataset': 'folder', 'data.folder': squares, 'data.heldOutFraction': 0 };
  expect(await trainer(tiny(runs, 'squares', { ...own, steps: 2 }))).toMatchObject({ code: 0 });
  const plain = await evaluate('squares', '--count', '4', '--only', 'text,captions,drawings,edits');
  expect([plain.code, plain.text]).toEqual([
    0,
    expect.stringMatching(/left out: text: no text and no caption is held out/),
  ]);
  expect(plain.text).toMatch(/left out: measures in features of pictures: no network judges them/);
  expect(plain.text).toMatch(/left out: edits: there is no held-out document/);
  const { results } = resultsIn(join(runs, 'squares', 'evaluation'));
  expect(named(results, 'drawing nearest to its own picture (by pixels)', 'trained on').beside).toEqual([
    { name: 'chance', value: 1 / 8 },
  ]);
  const elsewhere = await evaluate('squares', '--only', 'text', '--set', 'steps=9');
  expect(elsewhere).toMatchObject({
    code: 2,
    text: expect.stringMatching(/CONFIG_MOVED: .*steps=9[\s\S]*data\.folder/),
  });
  const refused = async (...more: string[]) => (await evaluate('squares', ...more)).text;
  expect(await refused('--only', 'txt')).toMatch(/"txt" is none of text, captions/);
  expect(await refused('--sweep-schedulers', 'heun')).toMatch(/SCHEDULER_CONFIG_INVALID: heun is defined on the flow/);
  expect(await refused('--guidance', '1', '--guidance-rescale', '0.7')).toMatch(/SAMPLER_OPTIONS: --guidance-rescale/);
  expect(await refused('--encoder', join(runs, 'squares', 'model'))).toMatch(/ENCODER_FOLDER/);
  expect((await trainer(['evaluate', '--run', join(runs, 'nothing')])).code).toBe(2);
});
