/** @file Batches: which pictures, words and changes, by seed and step; which texts are true of several pictures. */
import { PhiloxStream } from '@transfusion/tensor';
import { augmented } from './augment.js';
import { alsoTrueOf, classifierBatches, dualEncoderBatches } from './batches.js';
import type { ClassifierConfig, DualEncoderConfig } from './config.js';
import { colouredPictures } from './testing/pictures.js';
import { type TextTokenizer, textIds } from './text-tokens.js';
import { evaluatorTrainingConfig } from './training-config.js';

const END = 99;
const tokenizer = {
  encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0) % 90),
  special: { eos: END },
} as TextTokenizer;
const encoder = { text: { maxTokens: 10 } } as DualEncoderConfig;

function batchesOf({ batchSize = 6, seed = 3, otherCaptions = 0.3, changes = true } = {}) {
  const data = changes ? { otherCaptions } : { otherCaptions, shift: 0, colour: 0 };
  const config = evaluatorTrainingConfig({ batchSize, seed, data });
  return dualEncoderBatches({ config, images: colouredPictures(8), encoder, tokenizer });
}

test('a batch follows from the seed and the step alone', () => {
  const [first, other] = [batchesOf(), batchesOf({ seed: 4 })];
  const step = first(5);
  first(6);
  expect(first(5)).toEqual(step);
  expect(batchesOf()(5)).toEqual(step);
  expect(other(5).images).not.toEqual(step.images);
  expect(first(4).images).not.toEqual(step.images);
});

test('every epoch has every picture once, unchanged where no change is asked for', () => {
  const batchAt = batchesOf({ batchSize: 8, changes: false });
  const known = colouredPictures(8).map(({ pixels }) =>
    Float32Array.from(pixels, (byte) => Math.fround(byte / 127.5 - 1)).join(),
  );
  const { images } = batchAt(3);
  const found = Array.from({ length: 8 }, (_, i) => images.slice(i * 192, (i + 1) * 192).join());
  expect(found.sort()).toEqual(known.sort());
});

test('texts: ids, the end behind them, how far positions see, where the end is; some in other words', () => {
  const { tokens, end, last } = batchesOf({ otherCaptions: 0 })(0);
  for (let row = 0; row < 6; row++) {
    const own = [...tokens.slice(row * 10, row * 10 + 10)];
    const length = own.indexOf(END) + 1;
    expect(own.slice(length)).toEqual(new Array(10 - length).fill(-1));
    expect(new Set(end.slice(row * 10, row * 10 + 10))).toEqual(new Set([length]));
    expect(tokens[last[row]]).toBe(END);
    expect(length).toBeLessThanOrEqual(7);
  }
  // "a red square" and its like are cut off at ten.
  const lengths = (share: number) =>
    Array.from({ length: 200 }, (_, step) => [...batchesOf({ otherCaptions: share })(step).last]);
  const others =
    lengths(0.3)
      .flat()
      .filter((at) => at % 10 === 9).length / 1200;
  expect(others).toBeGreaterThan(0.25);
  expect(others).toBeLessThan(0.35);
  expect(textIds(tokenizer, 'a text that is too long', 10)).toHaveLength(10);
  expect(textIds(tokenizer, 'a text that is too long', 10).at(-1)).toBe(END);
});

test('captions that are equal, or true of another picture in other words, are marked; the own one is not', () => {
  const [red, green, , , , , redToo] = colouredPictures(7);
  const marks = alsoTrueOf([red, green, redToo], ['red', 'green', 'a red square']);
  expect([...marks]).toEqual([0, 0, 1, 0, 0, 0, 1, 0, 0]);
});

test('labels are places among the classes', () => {
  const config = evaluatorTrainingConfig({
    batchSize: 8,
    network: { kind: 'image-classifier' },
    data: { shift: 0, colour: 0 },
  });
  const classes = ['black', 'blue', 'green', 'red', 'white', 'yellow'];
  const batchAt = classifierBatches({ config, images: colouredPictures(6), encoder: { classes } as ClassifierConfig });
  const { images, labels } = batchAt(0);
  const colours = [...labels].map((_, i) => [...images.slice(i * 192, i * 192 + 3)].join());
  const expected: Record<string, string> = { '1,-1,-1': 'red', '-1,1,-1': 'green', '-1,-1,1': 'blue', '1,1,1': 'white', '-1,-1,-1': 'black', '1,1,-1': 'yellow' }; // biome-ignore format: a table
  expect([...labels].map((label) => classes[label])).toEqual(colours.map((colour) => expected[colour]));
});

describe('changes of a picture', () => {
  // Red says the column, green the row.
  const pixels = Uint8Array.from(
    { length: 8 * 8 * 3 },
    (_, at) => [20 * (Math.floor(at / 3) % 8), 20 * Math.floor(at / 24), 7][at % 3],
  );
  const picture = { width: 8, height: 8, pixels };
  const none = { flip: false, shift: 0, colour: 0 };
  const drawn = (changes: Partial<typeof none>) =>
    Array.from({ length: 300 }, (_, i) => augmented(picture, { ...none, ...changes }, new PhiloxStream(1, i)));
  const at = (data: Float32Array, x: number, y: number) =>
    [0, 1].map((c) => Math.round(((data[3 * (8 * y + x) + c] + 1) * 127.5) / 20));

  test('it is moved whole, by up to the shift each way, its edge going on', () => {
    const moves = drawn({ shift: 2 }).map((data) => {
      const [x, y] = at(data, 4, 4);
      const [right, down] = [4 - x, 4 - y];
      for (const [u, v] of [
        [0, 0],
        [7, 7],
        [3, 6],
      ]) {
        // biome-ignore format: pairs
        const inside = (value: number) => Math.min(7, Math.max(0, value));
        expect(at(data, u, v)).toEqual([inside(u - right), inside(v - down)]);
      }
      return `${right} ${down}`;
    });
    expect(new Set(moves).size).toBe(25);
  });

  test('half are mirrored; colours change within their bounds and stay in [-1, 1]', () => {
    const mirrored = drawn({ flip: true }).filter((data) => at(data, 0, 0)[0] === 7).length;
    expect(mirrored).toBeGreaterThan(120);
    expect(mirrored).toBeLessThan(180);
    const blue = drawn({ colour: 0.1 }).map((data) => data[2]);
    const original = 7 / 127.5 - 1;
    expect(Math.min(...blue)).toBe(-1);
    expect(Math.max(...blue)).toBeLessThanOrEqual(original * 0.9 + 0.2);
    expect(Math.max(...blue)).toBeGreaterThan(original + 0.15);
  });
});
