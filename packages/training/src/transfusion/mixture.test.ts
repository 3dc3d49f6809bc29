/** @file Rows of pictures, rows of documents and rows of text in one run; pictures with other captions. */
import type { CaptionedImage, SourceDocument } from '@transfusion/data';
import { objectiveOptions } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { type BatchArrays, createBatchSource } from './batches.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { splitTogether, transfusionTask } from './task.js';

const tokenizer = byteTokenizer();
const random = new PhiloxStream(5);
const words = (most: number) => 'x'.repeat(1 + random.integer(most));
const pixels = (value: number) => new Uint8Array(8 * 8 * 3).fill(value);
const size = { width: 8, height: 8 };

/** Of picture i the pixels are i, and so are its latents; of document i the first image is 100 + i. */
const images: CaptionedImage[] = Array.from({ length: 23 }, (_, i) => ({
  ...{ ...size, pixels: pixels(i), name: `${i}`, group: `picture ${i}`, caption: `C${words(9)}` },
  otherCaptions: [`O${words(14)}`, `O${words(3)}`],
}));
const documents: SourceDocument[] = Array.from({ length: 17 }, (_, i) => ({
  parts: [
    { kind: 'image', ...size, pixels: pixels(100 + i), role: 'context' },
    { kind: 'text', text: `D${words(12)}`, loss: false },
    { kind: 'image', ...size, pixels: pixels(200 + i) },
  ],
  ...{ name: `${i}`, group: `document ${i}` },
}));
const texts = Array.from({ length: 40 }, (_, i) => ({ text: `T${words(30)}`, name: `${i}`, group: `${i}` }));

function open(changes: TransfusionTrainingInput, given: { texts?: typeof texts; images?: CaptionedImage[] } = {}) {
  const config = transfusionTrainingConfig({
    ...changes,
    ...{ model: { preset: 'nano', layers: 1, channels: 32, heads: 2, feedForward: 32 }, seed: 7, patchSize: 4 },
    data: { heldOutFraction: 0, captionDropout: 0, ...changes.data },
  });
  const task = transfusionTask({ config, images, documents, tokenizer, ...given });
  const latentsOf = ({ pixels }: { pixels: Uint8Array }) => {
    return { grid: { height: 8, width: 8 }, variants: [{ mean: new Float32Array(8 * 8 * 3).fill(pixels[0]) }] };
  };
  const split = splitTogether(
    config,
    task.examples.map((example) => ({ ...example, ...latentsOf(example) })),
    task.documents.map((document) => ({
      ...document,
      parts: document.parts.map((part) => (part.kind === 'text' ? part : { ...part, ...latentsOf(part) })),
    })),
  );
  const source = createBatchSource({
    ...{ config, model: task.sizes.model, shape: task.sizes.batch, special: tokenizer.special },
    ...{ examples: split.examples.train, documents: split.documents.train, texts: task.texts.train },
    objective: createObjective(objectiveOptions(task.pipeline)),
  });
  return { source, batch: task.sizes.batch, examples: split.examples.train };
}

/** What is in a batch: numbers of its pictures, and of its documents. */
function contents({ groups: [{ latents, patchIndex }] }: BatchArrays) {
  const used = new Set([...patchIndex].filter((index) => index >= 0).map((index) => Math.floor(index / 4)));
  // Slots are in the order of the documents.
  const values = [...used].sort((a, b) => a - b).map((slot) => latents[slot * 8 * 8 * 3]);
  return {
    pictures: values.filter((value) => value < 100),
    documents: values.filter((value) => value >= 100 && value < 200).map((value) => value - 100),
    results: values.filter((value) => value >= 200).map((value) => value - 200),
  };
}

const steps = <One>(count: number, one: (step: number) => One) => Array.from({ length: count }, (_, step) => one(step));
const textOf = ({ tokens }: BatchArrays) => String.fromCharCode(...[...tokens].map((id) => (id < 0 ? 32 : id)));

describe('a share of the rows for documents', () => {
  const batch = { rows: 5, imagesPerRow: 4, documentsPerRow: 3 };
  const data = { documentShare: 0.35, textShare: 0.2 };
  const { source } = open({ batch, data }, { texts });
  const all = steps(100, (step) => contents(source.step(step)[0]));

  test('is exactly that, of whole rows, beside the share of text', () => {
    // 100 steps of 5 rows, of which a fifth is text: 400 rows with images.
    expect(all.flatMap((each) => each.documents)).toHaveLength(0.35 * 400 * 3);
    expect(all.flatMap((each) => each.pictures)).toHaveLength(0.65 * 400 * 4);
    for (const each of all) {
      expect(each.results).toEqual(each.documents);
      expect([3, 6]).toContain(each.documents.length);
    }
  });

  test('pictures and documents each come once in an epoch of their own', () => {
    for (const [walk, count] of [
      [all.flatMap((each) => each.pictures), images.length],
      [all.flatMap((each) => each.documents), documents.length],
    ] as const) {
      for (let epoch = 0; epoch + count <= walk.length; epoch += count) {
        expect(new Set(walk.slice(epoch, epoch + count)).size).toBe(count);
      }
    }
  });

  test('a step does not depend on the steps before it', () => {
    expect(open({ batch, data }, { texts }).source.step(57)).toEqual(source.step(57));
  });

  test('what is held out is evaluated in batches that it fits in, each once', () => {
    const { source, batch: shape } = open({ batch, data: { ...data, heldOutFraction: 0 } });
    const grid = { height: 8, width: 8 };
    const latents = (value: number) => ({ grid, variants: [{ mean: new Float32Array(8 * 8 * 3).fill(value) }] });
    const examples = images.map((image, i) => ({ ...image, captionIds: [67], ...latents(i) }));
    const held = documents.map(({ parts, ...document }, i) => ({
      ...document,
      parts: parts.map((part) =>
        part.kind === 'text'
          ? { kind: 'text' as const, ids: [68] }
          : { ...part, ...latents((part.role ? 100 : 200) + i) },
      ),
    }));
    const evaluated = [...source.evaluation({ examples, documents: held })];
    const found = evaluated.map(({ arrays }) => contents(arrays));
    expect(found.flatMap((each) => each.pictures)).toEqual(images.map((_, i) => i));
    expect(found.flatMap((each) => each.documents)).toEqual(documents.map((_, i) => i));
    expect(evaluated.reduce((sum, each) => sum + each.images, 0)).toBe(images.length + documents.length);
    expect(shape.grids).toHaveLength(1);
  });
});

test('whatever the shares and numbers are, every document of a step finds room', () => {
  for (let i = 0; i < 60; i++) {
    const batch = {
      rows: 1 + random.integer(6),
      imagesPerRow: 1 + random.integer(5),
      documentsPerRow: 1 + random.integer(5),
    };
    const data = { documentShare: 0.05 + 0.9 * random.uniform(), textShare: 0.05 + 0.9 * random.uniform() };
    const { source, batch: shape } = open(
      { batch, data: { ...data, otherCaptions: random.uniform() } },
      random.uniform() < 0.5 ? { texts } : {},
    );
    const [{ slots }] = shape.grids;
    expect(slots).toBeLessThanOrEqual(batch.rows * Math.max(batch.imagesPerRow, 2 * batch.documentsPerRow));
    // What finds no room is an error.
    for (let step = 0; step < 12; step++) expect(source.step(step)).toHaveLength(1);
  }
});

test('slots: of the mixtures of rows that there may be, the one with most images', () => {
  const slots = (documentShare: number, imagesPerRow: number, documentsPerRow: number) =>
    open({ batch: { rows: 8, imagesPerRow, documentsPerRow }, data: { documentShare } }).batch.grids[0].slots;
  // 2.8 rows of documents: 3 with 10 images, 5 of pictures with 6.
  expect(slots(0.35, 6, 5)).toBe(3 * 10 + 5 * 6);
  // Here pictures are more: 6 rows of 7, 2 of 2.
  expect(slots(0.35, 7, 1)).toBe(6 * 7 + 2 * 2);
});

test('a row of either kind has room for as many of the longest', () => {
  const longest = (shape: TransfusionTrainingInput['batch']) =>
    open({ batch: shape, data: { documentShare: 0.5 } }).batch.sequenceLength;
  const ofPictures = longest({ imagesPerRow: 9, documentsPerRow: 1 }) / 9;
  const ofDocuments = longest({ imagesPerRow: 1, documentsPerRow: 9 }) / 9;
  expect(ofPictures).toBe(4 + 4 + Math.max(...images.map(({ caption }) => caption!.length)));
  const instruction = ({ parts: [, text] }: SourceDocument) => (text.kind === 'text' ? text.text.length : 0);
  expect(ofDocuments).toBe(2 * 6 + 2 + Math.max(...documents.map(instruction)));
  expect(longest({ imagesPerRow: 4, documentsPerRow: 2 })).toBe(Math.max(4 * ofPictures, 2 * ofDocuments));
  expect(() => longest({ imagesPerRow: 1, documentsPerRow: 3, sequenceLength: 2 * ofDocuments })).toThrow(
    /CONFIG_SEQUENCE_LENGTH: .*3 documents of a row \(batch\.documentsPerRow\).*\n.*lower batch.documentsPerRow to 2/,
  );
});

test('what does not go together is refused, with what would fit', () => {
  expect(() => open({ batch: { documentsPerRow: 2 } })).toThrow(/batch\.documentsPerRow.*data\.documentShare is null/s);
  expect(() => open({ data: { documentShare: 0.5 } }, { images: [] })).toThrow(
    /CONFIG_DOCUMENT_SHARE: .*0 pictures with captions and 17 documents.*\n.*emoji-all/,
  );
  expect(() => open({ data: { heldOutBy: 'cells' } })).toThrow(/CONFIG_HELD_OUT: .*cells.*\n.*emojiCells/);
});

describe('other captions', () => {
  const batch = { rows: 8, imagesPerRow: 4 };
  const run = (otherCaptions: number, more: TransfusionTrainingInput['data'] = {}, given = images) => {
    const data = { imageFirstProbability: 0.25, documentShare: 0.3, otherCaptions, ...more };
    const { source } = open({ batch, data }, { images: given });
    return steps(60, (step) => source.step(step)[0]);
  };
  const count = (batches: BatchArrays[], pattern: RegExp) =>
    batches.reduce((sum, each) => sum + (textOf(each).match(pattern) ?? []).length, 0);
  const without = images.map(({ otherCaptions, ...image }) => image);

  test('none: batches are those of pictures without', () => {
    expect(run(0)).toEqual(run(0, {}, without));
    expect(run(0.5, {}, without)).toEqual(run(0, {}, without));
  });

  test('a share of what has its caption first; image first always has the caption', () => {
    const pictures = 60 * 8 * 0.7 * 4;
    const batches = run(0.4);
    const [captions, others] = [count(batches, /C/g), count(batches, /O/g)];
    expect(captions + others).toBe(pictures);
    const share = 0.75 * 0.4;
    expect(Math.abs(others / pictures - share)).toBeLessThan(3 * Math.sqrt((share * (1 - share)) / pictures));
    expect(count(run(1, { imageFirstProbability: 0 }), /C/g)).toBe(0);
    expect(count(run(1, { imageFirstProbability: 1 }), /O/g)).toBe(0);
    // Each of the two comes, and all else is as without.
    expect(count(run(1, { imageFirstProbability: 0 }), /Ox{1,3}(?!x)/g)).toBeGreaterThan(pictures / 3);
    const images = (all: BatchArrays[]) => all.map((each) => contents(each));
    expect(images(batches)).toEqual(images(run(0)));
  });
});

describe('rows that are filled', () => {
  const data = { documentShare: 0.35, textShare: 0.2 };
  const { source, batch } = open({ batch: { rows: 5, imagesPerRow: null, sequenceLength: 120 }, data }, { texts });
  const all = steps(100, (step) => source.step(step)[0]);

  test('take every picture and every document in turn, none twice before all were there', () => {
    const seen = (kind: 'pictures' | 'documents') => all.flatMap((each) => contents(each)[kind]);
    for (const [kind, count] of [
      ['pictures', images.length],
      ['documents', documents.length],
    ] as const) {
      const times = new Map<number, number>();
      for (const each of seen(kind)) times.set(each, (times.get(each) ?? 0) + 1);
      expect(times.size).toBe(count);
      expect(Math.max(...times.values()) - Math.min(...times.values())).toBeLessThanOrEqual(1);
    }
  });

  test('are fuller than rows of a fixed number', () => {
    const fill = (arrays: readonly BatchArrays[]) => {
      const used = arrays.map(({ tokens }) => tokens.filter((token) => token !== tokenizer.special.pad).length);
      return used.reduce((sum, count) => sum + count, 0) / (arrays.length * arrays[0].tokens.length);
    };
    const fixed = open({ batch: { rows: 5, imagesPerRow: 4, documentsPerRow: 3 }, data }, { texts });
    const others = steps(100, (step) => fixed.source.step(step)[0]);
    expect(fill(all)).toBeGreaterThan(0.85);
    expect(fill(all)).toBeGreaterThan(fill(others) + 0.1);
  });

  test('have slots for any mixture', () => {
    expect(batch.grids).toEqual([{ height: 8, width: 8, slots: expect.any(Number) }]);
    const most = Math.max(...all.map((each) => contents(each).pictures.length + 2 * contents(each).documents.length));
    expect(batch.grids[0].slots).toBeGreaterThanOrEqual(most);
  });

  test('held-out ones are batched by the longest of them', () => {
    const examples = open({}).examples;
    const { arrays } = { arrays: [...source.evaluation({ examples })].map((batch) => batch.arrays) };
    expect(arrays.flatMap((each) => contents(each).pictures)).toEqual(images.map((_, i) => i));
  });

  test('a batch is a function of its number', () => {
    const late = open({ batch: { rows: 5, imagesPerRow: null, sequenceLength: 120 }, data }, { texts }).source;
    expect(late.step(73)[0]).toEqual(all[73]);
  });

  test('need their length', () => {
    expect(() => open({ batch: { imagesPerRow: null } })).toThrow(/batch.sequenceLength: must be set/);
    expect(() => open({ batch: { imagesPerRow: null, sequenceLength: 17 } })).toThrow(
      /takes 26 positions, batch.sequenceLength allows 17/,
    );
  });
});
