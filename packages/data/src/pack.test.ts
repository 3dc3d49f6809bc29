import fc from 'fast-check';
import { captionDocument, type Document, documentLength, type PackOptions, packDocuments } from './index.js';

const special = { bos: 90, eos: 91, boi: 92, eoi: 93, pad: 94 };
const n = 4;
const k = 2;
const options: PackOptions = {
  rows: 1,
  sequenceLength: 9,
  patchesPerImage: n,
  patchValues: k,
  maxImagesPerRow: 1,
  special,
};
const image = (value = 1) => new Float32Array(n * k).fill(value);

/** Who sees whom, row by row, as 0 and 1. */
function maskOf(batch: ReturnType<typeof packDocuments>, row = 0): string[] {
  const { sequenceLength } = batch;
  return Array.from({ length: sequenceLength }, (_, t) => {
    const at = row * sequenceLength + t;
    const seen = (key: number) => (key >= batch.begin[at] && key < batch.end[at] ? '1' : '0');
    return Array.from({ length: sequenceLength }, (_, key) => seen(key)).join('');
  });
}

describe('one document', () => {
  const document: Document = {
    parts: [
      { kind: 'text', ids: [1, 2] },
      { kind: 'image', latents: image() },
      { kind: 'text', ids: [3] },
    ],
  };

  test('the mask of the paper, 9 tokens: t t BOI i i i i EOI t', () => {
    expect(maskOf(packDocuments([document], options))).toEqual([
      ...['100000000', '110000000', '111000000'],
      ...['111111100', '111111100', '111111100', '111111100'],
      ...['111111110', '111111111'],
    ]);
  });

  test('tokens, targets, positions and patches', () => {
    const batch = packDocuments([document], options);
    expect([...batch.tokens]).toEqual([1, 2, 92, -1, -1, -1, -1, 93, 3]);
    expect([...batch.targets]).toEqual([2, 92, -1, -1, -1, -1, -1, 3, -1]);
    expect([...batch.positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...batch.patchIndex]).toEqual([-1, -1, -1, 0, 1, 2, 3, -1, -1]);
    expect([...batch.patchPositions]).toEqual([3, 4, 5, 6]);
    expect([...batch.latents]).toEqual([...image()]);
    expect([...batch.imageMask]).toEqual([1]);
    expect(batch.images).toEqual([{ document: 0, row: 0, slot: 0, start: 3, imageFirst: false }]);
    expect(batch.documents).toEqual([{ document: 0, row: 0, begin: 0, end: 9 }]);
  });
});

describe('caption documents', () => {
  const pack = (document: Document) => packDocuments([document], { ...options, sequenceLength: 12 });

  test('caption first', () => {
    const batch = pack(captionDocument({ captionIds: [5, 6], image: image(), order: 'caption-first', special }));
    expect([...batch.tokens]).toEqual([90, 5, 6, 92, -1, -1, -1, -1, 93, 91, 94, 94]);
    expect([...batch.targets]).toEqual([5, 6, 92, -1, -1, -1, -1, -1, 91, -1, -1, -1]);
    expect(batch.images[0].imageFirst).toBe(false);
  });

  test('image first', () => {
    const document = captionDocument({
      captionIds: Int32Array.of(5, 6),
      image: image(),
      order: 'image-first',
      special,
      dropCaption: true,
    });
    const batch = pack(document);
    expect([...batch.tokens]).toEqual([90, 92, -1, -1, -1, -1, 93, 5, 6, 91, 94, 94]);
    expect([...batch.targets]).toEqual([92, -1, -1, -1, -1, -1, 5, 6, 91, -1, -1, -1]);
    expect(batch.images[0].imageFirst).toBe(true);
  });

  test('dropped caption', () => {
    const document = captionDocument({
      captionIds: [5],
      image: image(),
      order: 'caption-first',
      special,
      dropCaption: true,
    });
    expect([...pack(document).tokens]).toEqual([90, 92, -1, -1, -1, -1, 93, 91, 94, 94, 94, 94]);
  });
});

describe('several documents in a row', () => {
  const twoImages: Document = {
    parts: [
      { kind: 'image', latents: image(1) },
      { kind: 'text', ids: [7] },
      { kind: 'image', latents: image(2) },
    ],
  };

  test('a patch sees its own image and what came before, never a later image', () => {
    const batch = packDocuments([twoImages], { ...options, sequenceLength: 14, maxImagesPerRow: 3 });
    const mask = maskOf(batch);
    for (const t of [1, 2, 3, 4]) expect(mask[t]).toBe('11111000000000');
    expect(mask[5]).toBe('11111100000000');
    for (const t of [8, 9, 10, 11]) expect(mask[t]).toBe('11111111111100');
    expect(mask[13]).toBe('00000000000001');
    expect([...batch.imageMask]).toEqual([1, 1, 0]);
    expect([...batch.patchPositions.subarray(4)]).toEqual([8, 9, 10, 11, -1, -1, -1, -1]);
    expect([...batch.latents.subarray(8)]).toEqual([...image(2), ...image(0)]);
    // After an image comes text or another image's BOI: both are targets.
    expect([...batch.targets]).toEqual([-1, -1, -1, -1, -1, 7, 92, -1, -1, -1, -1, -1, -1, -1]);
  });

  test('documents do not see each other, and positions start again', () => {
    const text = (ids: number[]): Document => ({ parts: [{ kind: 'text', ids }] });
    const batch = packDocuments([text([1, 2]), text([3, 4, 5])], { ...options, sequenceLength: 6 });
    expect(maskOf(batch)).toEqual(['100000', '110000', '001000', '001100', '001110', '000001']);
    expect([...batch.positions]).toEqual([0, 1, 0, 1, 2, 0]);
    expect([...batch.targets]).toEqual([2, -1, 4, 5, -1, -1]);
  });

  test('first fit over rows, by positions and by image slots; what finds no room is named', () => {
    const text = (length: number): Document => ({ parts: [{ kind: 'text', ids: new Array(length).fill(1) }] });
    const oneImage: Document = { parts: [{ kind: 'image', latents: image() }] };
    const batch = packDocuments([text(3), oneImage, text(5), text(1), oneImage, text(9), text(2)], {
      ...options,
      rows: 2,
    });
    expect(batch.documents.map(({ document, row, begin }) => [document, row, begin])).toEqual([
      [0, 0, 0],
      [1, 0, 3],
      [2, 1, 0],
      [3, 1, 5],
      [6, 1, 6],
    ]);
    expect(batch.unplaced).toEqual([4, 5]);
    const slots = packDocuments([oneImage, oneImage], { ...options, rows: 2, sequenceLength: 20 });
    expect(slots.images.map(({ row, slot }) => [row, slot])).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });
});

test('any interleaving keeps every rule of the sequence', () => {
  const part = fc.oneof(
    fc.array(fc.nat(89), { maxLength: 5 }).map((ids) => ({ kind: 'text' as const, ids })),
    fc.float({ noNaN: true }).map((value) => ({ kind: 'image' as const, latents: image(value) })),
  );
  const document = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => ({ parts }));
  const documents = fc.array(
    document.filter((candidate) => documentLength(candidate, n) > 0),
    { maxLength: 8 },
  );
  const sizes: PackOptions = { ...options, rows: 3, sequenceLength: 40, maxImagesPerRow: 5 };
  fc.assert(
    fc.property(documents, (given) => {
      const batch = packDocuments(given, sizes);
      const owner = new Array<number>(120).fill(-1);
      for (const { document, row, begin, end } of batch.documents) {
        for (let t = begin; t < end; t++) {
          expect(owner[row * 40 + t]).toBe(-1);
          owner[row * 40 + t] = document;
        }
      }
      for (let at = 0; at < 120; at++) {
        const rowStart = at - (at % 40);
        const isPatch = batch.patchIndex[at] >= 0;
        for (let key = 0; key < 40; key++) {
          const other = rowStart + key;
          const sameImage =
            isPatch &&
            batch.patchIndex[other] >= 0 &&
            Math.floor(batch.patchIndex[at] / n) === Math.floor(batch.patchIndex[other] / n);
          const expected = owner[at] === -1 ? other === at : owner[other] === owner[at] && (other <= at || sameImage);
          if (expected !== (key >= batch.begin[at] && key < batch.end[at])) throw new Error(`mask ${at} ${other}`);
        }
        const hasTarget =
          owner[at] !== -1 &&
          !isPatch &&
          batch.tokens[at] !== special.boi &&
          at + 1 < rowStart + 40 &&
          owner[at + 1] === owner[at];
        expect(batch.targets[at]).toBe(hasTarget ? batch.tokens[at + 1] : -1);
        if (isPatch) {
          expect(batch.tokens[at]).toBe(-1);
          expect(batch.patchPositions[batch.patchIndex[at]]).toBe(at);
        }
      }
      const placed = batch.documents.map((entry) => entry.document);
      expect([...placed, ...batch.unplaced].sort((a, b) => a - b)).toEqual(given.map((_, index) => index));
      const used = batch.patchPositions.filter((position) => position >= 0).length;
      expect(used).toBe(batch.images.length * n);
    }),
    { numRuns: 60, seed: 1 },
  );
});

describe('documents that cannot be packed', () => {
  const text = (ids: number[]): Document => ({ parts: [{ kind: 'text', ids }] });
  const ok = text([1]);
  test.each<[string, Document, RegExp]>([
    [
      'too long',
      text(new Array(10).fill(1)),
      /DATA_DOCUMENT_TOO_LONG: .*documents\[1\] takes 10 positions, a row has 9/,
    ],
    [
      'too many images',
      {
        parts: [
          { kind: 'image', latents: image() },
          { kind: 'image', latents: image() },
        ],
      },
      /DATA_/,
    ],
    [
      'wrong image size',
      { parts: [{ kind: 'image', latents: new Float32Array(7) }] },
      /documents\[1\].*7 values, expected \[4, 2\] = 8/,
    ],
    ['empty', { parts: [] }, /DATA_DOCUMENT_EMPTY/],
    ['negative id', text([-1]), /DATA_TOKEN_ID: .*documents\[1\] has token id -1/],
    ['fractional id', text([0.5]), /DATA_TOKEN_ID/],
  ])('%s', (_name, document, message) => {
    expect(() => packDocuments([ok, document], options)).toThrow(message);
  });

  test('images beyond the slots of a row', () => {
    const document: Document = { parts: [1, 2].map((value) => ({ kind: 'image', latents: image(value) })) };
    expect(() => packDocuments([document], { ...options, sequenceLength: 20 })).toThrow(
      /DATA_TOO_MANY_IMAGES: .*has 2 images, a row has 1 image slots/,
    );
    expect(() => packDocuments([], { ...options, rows: 0 })).toThrow(/DATA_PACK_OPTIONS.*rows is 0/);
  });
});
