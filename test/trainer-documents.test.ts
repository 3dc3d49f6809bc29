/** @file Documents of texts and pictures in any order, from disk; edits of emoji, from data at hand. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePng, encodePng } from '../packages/data/src/index';
import { checkpointHash, quietProgress, temporaryFolder, tiny, tinyVae, trainer } from './support/trainer';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
quietProgress();

const data = join(folder, 'data');
mkdirSync(data);
const square = (shade: number) =>
  encodePng({ width: 8, height: 8, data: new Float32Array(8 * 8 * 3).fill(shade / 10 - 0.5) });
for (let shade = 0; shade < 10; shade++) writeFileSync(join(data, `s${shade}.png`), square(shade));
const edit = (from: number, to: number, words = 'make it zebra-like') => ({
  parts: [{ image: `s${from}.png`, role: 'context' }, { text: words, loss: false }, { image: `s${to}.png` }],
});
const story = {
  parts: [
    { text: 'first' },
    { image: 's1.png' },
    { text: 'then' },
    { image: 's2.png' },
    { text: 'and' },
    { image: 's3.png' },
  ],
};
const write = (documents: unknown[], name = 'documents.jsonl') =>
  writeFileSync(join(data, name), documents.map((document) => JSON.stringify(document)).join('\n'));
const all = [story, ...[1, 2, 3, 4, 5, 6, 7].map((i) => edit(i, i + 1))];
write(all);

const own = (set: Record<string, unknown> = {}) => ({
  ...{ 'data.dataset': 'none', 'data.documents': data, 'data.demoSet': null, 'data.heldOutFraction': 0.25 },
  ...{ steps: 3, 'tokenizer.vocabularySize': 270, ...set },
});
const metrics = (name: string) =>
  readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const trainedOn = (name: string) =>
  JSON.parse(readFileSync(join(runs, name, 'model', 'config.json'), 'utf8')).trainedOn;

describe('documents from disk', () => {
  test('are counted before and when they are trained on, and their words are those of the tokenizer', async () => {
    const dry = await trainer([...tiny(runs, 'dry', own()), '--dry-run']);
    expect(dry).toMatchObject({ code: 0, text: expect.stringMatching(/documents +6 to train on, 2 held out/) });
    const { code, text } = await trainer(tiny(runs, 'own', own({ logEvery: 1, 'sample.every': 3 })));
    expect([code, text]).toEqual([0, expect.stringMatching(/^6 documents to train on, 2 held out$/m)]);
    const lines = metrics('own');
    expect(lines.at(-1)).toMatchObject({
      heldOut: { language: expect.any(Number), diffusion: expect.any(Number) },
    });
    expect(JSON.stringify(JSON.parse(readFileSync(join(runs, 'own/model/tokenizer.json'), 'utf8')).model)).toMatch(
      /zeb|bra|eb/,
    );
    const drawn = decodePng(readFileSync(join(runs, 'own/samples/step-3-edits.png')));
    expect(drawn.width).toBeGreaterThan(12 * 16);
    const alone = { pictures: false, captions: false, documents: true, edits: true, texts: false };
    expect(trainedOn('own')).toEqual(alone);
  });

  test('beside pictures and texts', async () => {
    const texts = join(folder, 'words.jsonl');
    writeFileSync(texts, Array.from({ length: 20 }, (_, i) => JSON.stringify({ text: `words ${i}` })).join('\n'));
    const set = own({ 'data.dataset': 'emoji', 'data.count': 8, 'data.texts': texts });
    const { code, text } = await trainer(tiny(runs, 'beside', set));
    expect([code, text]).toEqual([
      0,
      expect.stringMatching(/\d+ pictures to train on, .* documents to train on, .* rows/),
    ]);
    const all = { pictures: true, captions: true, documents: true, edits: true, texts: true };
    expect(trainedOn('beside')).toEqual(all);
  });

  test('a stopped run goes on to the same bits, and says so when they have changed', async () => {
    expect(await trainer(tiny(runs, 'whole', own({ steps: 4, 'learningRate.totalSteps': 100 })))).toMatchObject({
      code: 0,
    });
    const set = own({ steps: 2, 'learningRate.totalSteps': 100 });
    expect(await trainer(tiny(runs, 'half', set))).toMatchObject({ code: 0 });
    const resume = (steps: number) =>
      trainer(['train', '--resume', join(runs, 'half'), '--set', `steps=${steps}`, '--backend', 'wasm']);
    const resumed = await resume(4);
    expect(resumed).toMatchObject({ code: 0, text: expect.not.stringMatching(/data are not those/) });
    const [whole, half] = ['whole', 'half'].map((name) => checkpointHash(join(runs, name)));
    expect(half).toEqual(whole);
    write([...all.slice(0, 7), edit(7, 1)]);
    const told = (await resume(5)).text;
    write(all);
    expect(told).toMatch(/data are not those that the run was trained on until step 4: their number is the same/);
  });

  test('what is broken is named, and too much of it stops the run with the way out', async () => {
    write([...all, { parts: [{ image: 'nothing.png' }] }], 'broken.jsonl');
    const set = own({ 'data.documents': join(data, 'broken.jsonl') });
    expect(await trainer([...tiny(runs, 'broken', set), '--dry-run'])).toMatchObject({
      code: 2,
      text: expect.stringMatching(
        /1 of 9 documents[\s\S]*line 9: nothing\.png: there is no such picture[\s\S]*--set data\.allowBroken=0\.12/,
      ),
    });
    const lenient = await trainer([...tiny(runs, 'broken', { ...set, 'data.allowBroken': 0.2 }), '--dry-run']);
    expect(lenient).toMatchObject({ code: 0, text: expect.stringMatching(/skipped .*line 9: nothing\.png/) });
  });

  test('documents that are given as texts, and texts as documents, are told how to be given', async () => {
    const words = join(folder, 'plain.jsonl');
    writeFileSync(words, '{"text": "a"}');
    const say = async (set: Record<string, unknown>) =>
      (await trainer([...tiny(runs, 'other', { 'data.dataset': 'none', 'data.demoSet': null, ...set }), '--dry-run']))
        .text;
    expect(await say({ 'data.texts': join(data, 'documents.jsonl') })).toMatch(/fix: .*--set data\.documents=PATH.*$/);
    expect(await say({ 'data.documents': words })).toMatch(/fix: .*--set data\.texts=PATH.*$/);
  });

  test('nothing at all is refused', async () => {
    expect(await trainer(tiny(runs, 'none', { 'data.dataset': 'none', 'data.demoSet': null }))).toMatchObject({
      code: 2,
      text: expect.stringMatching(/CONFIG_DATA: .*neither data\.documents nor data\.texts/),
    });
  });
});

describe('edits of emoji', () => {
  // The first 26 are letters that one style draws; then come 6 emoji of 4 styles.
  const edits = { 'data.dataset': 'emoji-edits', 'data.demoSet': null, 'data.count': 50, 'data.heldOutFraction': 0.2 };

  test('a run on latents of their pictures that were kept in a folder, then its scores', async () => {
    expect(await trainer(tinyVae(runs, 'vae', { steps: 2, 'loss.adversarial': 0 }))).toMatchObject({ code: 0 });
    const codec = join(runs, 'vae', 'model');
    const latents = join(folder, 'latents');
    const args = Object.entries({ ...edits, codec }).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const encoded = await trainer([
      ...['encode', '--preset', 'tiny', '--runs', runs, '--backend', 'wasm', ...args, '--out', latents],
    ]);
    // Every picture once, and the result of its other change.
    const count = Number(/latents of (\d+) pictures,/.exec(encoded.text)?.[1]);
    expect([encoded.code, count]).toEqual([0, 100]);
    const set = { ...edits, codec, patchSize: 2, steps: 2, 'data.latents': latents, 'sampling.steps': 2 };
    const kept = await trainer(tiny(runs, 'edits', set));
    expect([kept.code, kept.text]).toEqual([0, expect.stringMatching(/^\d+ documents to train on, \d+ held out$/m)]);
    const [, trained, heldOut] = /(\d+) documents to train on, (\d+) held out/.exec(kept.text)!.map(Number);
    // Of each picture one other change, and of 24 three changes of style; an emoji has 16 in all, a letter 1.
    expect(trained + heldOut).toBe(50 + 24 * 3);
    expect(heldOut).toBeGreaterThan(16);

    const out = join(folder, 'scores');
    const scored = await trainer([
      ...['evaluate', '--run', join(runs, 'edits'), '--only', 'edits', '--count', '6', '--out', out],
      ...['--backend', 'wasm', '--guidance', '1'],
    ]);
    expect([scored.code, scored.text]).toEqual([
      0,
      expect.stringMatching(/edits drawn in the style asked for .* n = 6 .*0\.250 chance, 0 given back unchanged/),
    ]);
    // Four edits of three pictures each.
    expect(decodePng(readFileSync(join(out, 'edits.png'))).width).toBe(12 * (16 + 4) + 4);
    const { details } = JSON.parse(readFileSync(join(out, 'evaluation.json'), 'utf8'));
    expect(details.edits).toEqual([{ kind: 'heldOut', edits: expect.any(Array) }]);
    for (const { instruction } of details.edits[0].edits) expect(instruction).toMatch(/style/);
    expect(details.edits[0].edits).toHaveLength(6);
  });

  test('scores are of runs on edits, with something held out', async () => {
    const of = (name: string) =>
      trainer(['evaluate', '--run', join(runs, name), '--only', 'edits', '--backend', 'wasm']);
    expect(existsSync(join(runs, 'own'))).toBe(true);
    const none = { code: 0, text: expect.stringMatching(/left out: edits: there is no held-out document of an emoji/) };
    expect(await of('own')).toMatchObject(none);
    const all = { ...edits, 'data.heldOutFraction': 0, steps: 1 };
    expect(await trainer(tiny(runs, 'all', all))).toMatchObject({ code: 0 });
    expect(await of('all')).toMatchObject(none);
  });
});
