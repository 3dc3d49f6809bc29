/** @file Pictures of emoji in styles, the edits made of them, and texts: one run, with cells held out, on latents from a folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointHash, quietProgress, temporaryFolder, tiny, tinyVae, trainer } from './support/trainer';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
quietProgress();

const texts = join(folder, 'words.jsonl');
writeFileSync(texts, Array.from({ length: 60 }, (_, i) => JSON.stringify({ text: `words of a text ${i}` })).join('\n'));

// The first 26 are letters that one style draws; then come emoji of 4 styles.
const all = {
  ...{ 'data.dataset': 'emoji-all', 'data.demoSet': null, 'data.count': 90, 'data.heldOutBy': 'cells' },
  ...{ 'data.furtherStyles': true, 'data.views': 2 },
  ...{ 'data.otherCaptions': 0.5, 'data.texts': texts, 'data.textShare': 0.25, 'data.documentShare': 0.4 },
  ...{ 'batch.rows': 4, 'batch.imagesPerRow': 3, 'batch.documentsPerRow': 2, 'tokenizer.vocabularySize': 400 },
  'learningRate.totalSteps': 100,
};

test('latents of all pictures are kept once, a run on them goes on to the same bits, its edits are scored', async () => {
  expect(await trainer(tinyVae(runs, 'vae', { steps: 2, 'loss.adversarial': 0 }))).toMatchObject({ code: 0 });
  const latents = join(folder, 'latents');
  const set = { ...all, codec: join(runs, 'vae', 'model'), patchSize: 2 };
  const args = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const encoded = await trainer([
    ...['encode', '--preset', 'tiny', '--runs', runs, '--backend', 'wasm', ...args, '--out', latents],
  ]);
  expect(encoded).toMatchObject({ code: 0 });
  const encodedPictures = Number(/latents of (\d+) pictures and/.exec(encoded.text)?.[1]);

  const kept = { ...set, 'data.latents': latents };
  const whole = await trainer(tiny(runs, 'whole', { ...kept, steps: 4, 'sampling.steps': 2, 'sample.every': 4 }));
  const told =
    /^(\d+) pictures to train on, (\d+) held out; (\d+) documents to train on, (\d+) held out; \d+ rows of plain text to train on, \d+ held out$/m;
  expect([whole.code, whole.text]).toEqual([0, expect.stringMatching(told)]);
  const [, pictures, heldOut, documents, heldOutDocuments] = told.exec(whole.text)!.map(Number);
  // Each picture once though documents have it too, the result of its other change, and two views.
  expect(encodedPictures).toBe(4 * (pictures + heldOut));
  // Of 26 letters and 16 emoji of 4 styles, 5 % are held out; each picture has one other change, those of an emoji three styles.
  const further = pictures + heldOut - 90;
  expect(further).toBeGreaterThan(40);
  expect(documents + heldOutDocuments).toBeGreaterThan(90 + 64 * 3 + 2 * further);
  expect(heldOut).toBeGreaterThan(1);
  expect(heldOutDocuments).toBeGreaterThan(heldOut);
  const [last] = readFileSync(join(runs, 'whole/metrics.jsonl'), 'utf8').trim().split('\n').reverse();
  const losses = { language: expect.any(Number), diffusion: expect.any(Number) };
  expect(JSON.parse(last)).toMatchObject({ heldOut: losses, heldOutTexts: { language: expect.any(Number) } });

  expect(await trainer(tiny(runs, 'half', { ...kept, steps: 2 }))).toMatchObject({ code: 0 });
  const resumed = await trainer(['train', '--resume', join(runs, 'half'), '--set', 'steps=4', '--backend', 'wasm']);
  expect(resumed).toMatchObject({ code: 0 });
  const { model, optimizer } = checkpointHash(join(runs, 'whole'));
  expect(checkpointHash(join(runs, 'half'))).toMatchObject({ model, optimizer });

  const scored = await trainer([
    ...['evaluate', '--run', join(runs, 'whole'), '--count', '2', '--only', 'edits', '--backend', 'wasm'],
  ]);
  expect([scored.code, scored.text]).toEqual([
    0,
    expect.stringMatching(/edits drawn in the style asked for .* n = 2 /),
  ]);

  // Without the folder pictures are encoded when the run starts.
  expect(await trainer(tiny(runs, 'own', { ...set, steps: 1 }))).toMatchObject({ code: 0 });
});

test('what does not go together is refused by name, before anything is read', async () => {
  const refused = async (set: Record<string, unknown>) => {
    const { code, text } = await trainer([...tiny(runs, 'refused', { ...all, ...set }), '--dry-run']);
    return [code, text] as const;
  };
  const message = (pattern: RegExp) => [2, expect.stringMatching(pattern)];
  expect(await refused({ 'data.dataset': 'emoji' })).toEqual(
    message(
      /data\.heldOutBy: cells is for emoji in styles .*emoji-styles, emoji-edits or emoji-all.* dataset is emoji:/,
    ),
  );
  expect(await refused({ 'data.demoSet': 8 })).toEqual(message(/data\.heldOutBy: cells holds pictures out.*demoSet/));
  expect(await refused({ 'data.dataset': 'emoji-styles' })).toEqual(
    message(
      /data\.documentShare: is for .*together, and dataset is emoji-styles without documents: choose .*emoji-all/,
    ),
  );
  expect(await refused({ 'data.dataset': 'emoji-edits' })).toEqual(message(/data\.documentShare: .*is emoji-edits/));
  expect(await refused({ 'data.documentShare': null })).toEqual(
    message(/batch\.documentsPerRow: is for rows of documents alone/),
  );
  const further = message(/data\.furtherStyles: is for emoji of which cells are held out .*: set it to false/);
  expect(await refused({ 'data.dataset': 'emoji', 'data.heldOutBy': null })).toEqual(further);
  expect(await refused({ 'data.documentShare': 1 })).toEqual(message(/data\.documentShare/));
});
