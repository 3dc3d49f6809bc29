import { fitCaptions, usualLength } from './caption-lengths.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import type { Example } from './examples.js';

const PATCHES = 16;
const example = (length: number, i: number): Example => ({
  ...{ caption: `caption ${i}`, name: `p${i}.png`, group: `${i}`, width: 0, height: 0, pixels: new Uint8Array(0) },
  captionIds: Array.from({ length }, (_, at) => at),
});
const examples = (...lengths: number[]) => lengths.map(example);
const short = Array.from({ length: 15 }, (_, i) => 3 + (i % 3));

function fit(all: Example[], set: TransfusionTrainingInput = {}) {
  const lines: string[] = [];
  const fitted = fitCaptions(transfusionTrainingConfig(set), all, PATCHES, (line) => void lines.push(line));
  return { lengths: fitted.map(({ captionIds }) => captionIds.length), told: lines.join('\n') };
}

test('one outlier among few does not decide the length: it is cut, counted and named', () => {
  const { lengths, told } = fit(examples(...short, 8396));
  expect(lengths).toEqual([...short, 21]);
  expect(told).toBe(
    '1 of 16 captions have more than 21 tokens and are cut: p15.png (8396); --set data.longCaptions=skip leaves them out, batch.sequenceLength=8416 takes all of the longest',
  );
});

test('or skipped, where that is asked for', () => {
  const { lengths, told } = fit(examples(...short, 8396), { data: { longCaptions: 'skip' } });
  expect(lengths).toEqual(short);
  expect(told).toMatch(/are skipped with their pictures: p15.png/);
});

test('captions of all lengths up to twice the usual one are kept whole', () => {
  const lengths = Array.from({ length: 300 }, (_, i) => 1 + (i % 100));
  expect(fit(examples(...lengths, 190))).toEqual({ lengths: [...lengths, 190], told: '' });
  expect(usualLength([])).toBe(16);
  expect(usualLength([40])).toBe(80);
});

test('a length that is set cuts what it leaves no room for, and says so', () => {
  const { lengths, told } = fit(examples(5, 30, 6), { batch: { sequenceLength: PATCHES + 4 + 10 } });
  expect(lengths).toEqual([5, 10, 6]);
  expect(told).toMatch(/^1 of 3 captions have more than 10 tokens and are cut: p1.png \(30\).*sequenceLength=50/);
  expect(fit(examples(5, 30), { model: { maxPositions: PATCHES + 4 + 7 } }).lengths).toEqual([5, 7]);
});

test('a length that is set takes longer captions than would be usual', () => {
  expect(fit(examples(...short, 500), { batch: { sequenceLength: 600 } })).toEqual({
    lengths: [...short, 500],
    told: '',
  });
});

test('other captions count to what is usual; those that are longer are left out, and counted', () => {
  const ids = (length: number) => Array.from({ length }, (_, at) => at);
  const all = examples(5, 6, 7).map((each, i) => ({ ...each, otherCaptionIds: [ids(9 + i), ids(12)] }));
  const lines: string[] = [];
  const others = (batch: { sequenceLength?: number }) =>
    fitCaptions(transfusionTrainingConfig({ batch }), all, PATCHES, (line) => void lines.push(line)).map(
      ({ captionIds, otherCaptionIds }) => [captionIds.length, otherCaptionIds?.map(({ length }) => length)],
    );
  expect(others({})).toEqual([
    [5, [9, 12]],
    [6, [10, 12]],
    [7, [11, 12]],
  ]);
  expect(others({ sequenceLength: PATCHES + 4 + 10 })).toEqual([
    [5, [9]],
    [6, [10]],
    [7, undefined],
  ]);
  expect(lines).toEqual(['4 of 6 other captions have more than 10 tokens and are left out']);
});

test('a row without room for an image is refused', () => {
  expect(() => fit(examples(5), { batch: { sequenceLength: PATCHES + 4 } })).toThrow(
    /CONFIG_SEQUENCE_LENGTH: batch.sequenceLength is 20.*20 positions.*\n.*at least 21/,
  );
  expect(() => fit(examples(5), { model: { maxPositions: 8 } })).toThrow(/CONFIG_MAX_POSITIONS/);
});

test('a row that several share has room for as many of the longest', () => {
  const batch = { sequenceLength: 2 * (PATCHES + 4 + 10) + 1, imagesPerRow: 2 };
  const { lengths, told } = fit(examples(5, 30, 6), { batch });
  expect(lengths).toEqual([5, 10, 6]);
  expect(told).toMatch(/more than 10 tokens and are cut: p1.png \(30\).*sequenceLength=100 takes all/);
  expect(() => fit(examples(5), { batch: { ...batch, sequenceLength: 41 } })).toThrow(
    /CONFIG_SEQUENCE_LENGTH: batch.sequenceLength is 41.* 2 times in a row .*\n.*at least 42/,
  );
});
