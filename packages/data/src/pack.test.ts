import {
  captionDocument,
  type Document,
  drawTimesteps,
  type ImageGrid,
  type ImagePart,
  type PackOptions,
  packDocuments,
  type TextPart,
} from './index.js';

const special = { bos: 90, eos: 91, boi: 92, eoi: 93, pad: 94 };
const channels = 2;
/** 4, 3 and 3 patches. */
const square = { height: 4, width: 4 };
const wide = { height: 2, width: 6 };
const tall = { height: 6, width: 2 };
const n = 4;
const options: PackOptions = {
  rows: 1,
  sequenceLength: 9,
  grids: [{ ...square, slots: 1 }],
  channels,
  patchSize: 2,
  special,
};
/** Values that say where they are: 100 per image, 1 per value. */
const latentsOf = ({ height, width }: ImageGrid, value = 1) =>
  Float32Array.from({ length: height * width * channels }, (_, i) => 100 * value + i);
const image = (grid: ImageGrid, value = 1, more: Partial<ImagePart> = {}): ImagePart => ({
  kind: 'image',
  height: grid.height,
  width: grid.width,
  latents: latentsOf(grid, value),
  ...more,
});
const text = (ids: number[], loss?: boolean): TextPart => ({ kind: 'text', ids, loss });
const textDocument = (...ids: number[]): Document => ({ parts: [text(ids)] });

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
  const document: Document = { parts: [text([1, 2]), image(square), text([3])] };

  test('the mask of the paper, 9 tokens: t t BOI i i i i EOI t', () => {
    expect(maskOf(packDocuments([document], options))).toEqual([
      ...['100000000', '110000000', '111000000'],
      ...['111111100', '111111100', '111111100', '111111100'],
      ...['111111110', '111111111'],
    ]);
  });

  test('tokens, targets, positions and patches', () => {
    const batch = packDocuments([document], options);
    expect([batch.rows, batch.sequenceLength]).toEqual([1, 9]);
    expect([...batch.tokens]).toEqual([1, 2, 92, -1, -1, -1, -1, 93, 3]);
    expect([...batch.targets]).toEqual([2, 92, -1, -1, -1, -1, -1, 3, -1]);
    expect([...batch.positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(batch.groups).toEqual([
      {
        ...{ ...square, slots: 1, patches: n },
        latents: latentsOf(square),
        patchIndex: Int32Array.of(-1, -1, -1, 0, 1, 2, 3, -1, -1),
        patchPositions: Int32Array.of(3, 4, 5, 6),
        mask: Float32Array.of(1),
      },
    ]);
    expect(batch.images).toStrictEqual([{ document: 0, row: 0, group: 0, slot: 0, start: 3, role: 'target' }]);
    expect(batch.documents).toEqual([{ document: 0, row: 0, begin: 0, end: 9 }]);
    expect(batch.unplaced).toEqual([]);
  });
});

describe('caption documents', () => {
  const pack = (document: Document) => packDocuments([document], { ...options, sequenceLength: 12 });
  const picture = { ...square, latents: latentsOf(square) };

  test('caption first', () => {
    const batch = pack(
      captionDocument({ captionIds: [5, 6], image: picture, order: 'caption-first', special, imageFirstCap: 500 }),
    );
    expect([...batch.tokens]).toEqual([90, 5, 6, 92, -1, -1, -1, -1, 93, 91, 94, 94]);
    expect([...batch.targets]).toEqual([5, 6, 92, -1, -1, -1, -1, -1, 91, -1, -1, -1]);
    expect(batch.images[0].noiseCap).toBeUndefined();
  });

  test('image first', () => {
    const document = captionDocument({
      captionIds: Int32Array.of(5, 6),
      image: picture,
      order: 'image-first',
      special,
      dropCaption: true,
      imageFirstCap: 500,
    });
    const batch = pack(document);
    expect([...batch.tokens]).toEqual([90, 92, -1, -1, -1, -1, 93, 5, 6, 91, 94, 94]);
    expect([...batch.targets]).toEqual([92, -1, -1, -1, -1, -1, 5, 6, 91, -1, -1, -1]);
    expect(batch.images[0].noiseCap).toBe(500);
  });

  test('dropped caption', () => {
    const document = captionDocument({
      captionIds: [5],
      image: picture,
      order: 'caption-first',
      special,
      dropCaption: true,
    });
    expect([...pack(document).tokens]).toEqual([90, 92, -1, -1, -1, -1, 93, 91, 94, 94, 94, 94]);
  });
});

describe('several documents in a row', () => {
  const twoImages: Document = { parts: [image(square, 1), text([7]), image(square, 2)] };

  test('a patch sees its own image and what came before, never a later image', () => {
    const batch = packDocuments([twoImages], { ...options, sequenceLength: 14, grids: [{ ...square, slots: 3 }] });
    const mask = maskOf(batch);
    for (const t of [1, 2, 3, 4]) expect(mask[t]).toBe('11111000000000');
    expect(mask[5]).toBe('11111100000000');
    for (const t of [8, 9, 10, 11]) expect(mask[t]).toBe('11111111111100');
    expect(mask[13]).toBe('00000000000001');
    const [group] = batch.groups;
    expect([...group.mask]).toEqual([1, 1, 0]);
    expect([...group.patchPositions]).toEqual([1, 2, 3, 4, 8, 9, 10, 11, -1, -1, -1, -1]);
    expect([...group.latents]).toEqual([...latentsOf(square, 1), ...latentsOf(square, 2), ...new Array(32).fill(0)]);
    // After an image comes text or another image's BOI: both are targets.
    expect([...batch.targets]).toEqual([-1, -1, -1, -1, -1, 7, 92, -1, -1, -1, -1, -1, -1, -1]);
  });

  test('documents do not see each other, and positions start again', () => {
    const batch = packDocuments([textDocument(1, 2), textDocument(3, 4, 5)], { ...options, sequenceLength: 6 });
    expect(maskOf(batch)).toEqual(['100000', '110000', '001000', '001100', '001110', '000001']);
    expect([...batch.positions]).toEqual([0, 1, 0, 1, 2, 0]);
    expect([...batch.targets]).toEqual([2, -1, 4, 5, -1, -1]);
  });

  test('no target lies across documents, whatever they begin and end with', () => {
    const onlyImage: Document = { parts: [image(square)] };
    const batch = packDocuments([textDocument(1), onlyImage, textDocument(2), onlyImage, textDocument(3, 4)], {
      ...options,
      sequenceLength: 17,
      grids: [{ ...square, slots: 2 }],
    });
    expect([...batch.tokens]).toEqual([1, 92, -1, -1, -1, -1, 93, 2, 92, -1, -1, -1, -1, 93, 3, 4, 94]);
    expect([...batch.targets]).toEqual([...new Array(14).fill(-1), 4, -1, -1]);
  });

  test('a BOI without an image is no input of the language loss either', () => {
    const batch = packDocuments([textDocument(1, 92, 5, 6)], options);
    expect([...batch.targets]).toEqual([92, -1, 6, ...new Array(6).fill(-1)]);
  });

  test('first fit over rows, by positions and by slots; what finds no room is named', () => {
    const ofLength = (length: number) => textDocument(...new Array<number>(length).fill(1));
    const oneImage: Document = { parts: [image(square)] };
    const batch = packDocuments([ofLength(3), oneImage, ofLength(5), ofLength(1), oneImage, ofLength(9), ofLength(2)], {
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
    // The second image has a slot, and no row with room for its positions.
    const full = packDocuments([oneImage, ofLength(4), ofLength(4), oneImage], {
      ...options,
      rows: 2,
      grids: [{ ...square, slots: 2 }],
    });
    expect(full.unplaced).toEqual([3]);
    expect([...full.groups[0].mask]).toEqual([1, 0]);
  });

  test('slots are those of the batch; patches know their row', () => {
    const oneImage: Document = { parts: [image(square)] };
    const batch = packDocuments([textDocument(1, 1), oneImage, oneImage], {
      ...options,
      rows: 2,
      grids: [{ ...square, slots: 2 }],
    });
    expect(batch.images.map(({ row, slot, start }) => [row, slot, start])).toEqual([
      [0, 0, 3],
      [1, 1, 1],
    ]);
    expect([...batch.groups[0].patchPositions]).toEqual([3, 4, 5, 6, 10, 11, 12, 13]);
    expect([...batch.groups[0].patchIndex]).toEqual([-1, -1, -1, 0, 1, 2, 3, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1]);
  });

  test('no more documents with images than a row may have, and as many texts as fit', () => {
    const twoSmall: Document = { parts: [image(wide), image(tall)] };
    const one: Document = { parts: [image(wide)] };
    const batch = packDocuments([twoSmall, one, one, textDocument(1)], {
      ...options,
      rows: 2,
      sequenceLength: 30,
      grids: [
        { ...wide, slots: 3 },
        { ...tall, slots: 1 },
      ],
      imageDocumentsPerRow: 1,
    });
    expect(batch.documents.map(({ document, row }) => [document, row])).toEqual([
      [0, 0],
      [1, 1],
      [3, 0],
    ]);
    expect(batch.unplaced).toEqual([2]);
  });
});

describe('images of several sizes', () => {
  const grids = [
    { ...square, slots: 1 },
    { ...wide, slots: 3 },
    { ...tall, slots: 1 },
  ];
  const sizes = { ...options, sequenceLength: 24, grids };

  test('each size is a group; sizes of equally many patches are kept apart', () => {
    const document: Document = { parts: [image(wide, 1), image(tall, 2), text([7]), image(square, 3), image(wide, 4)] };
    const batch = packDocuments([document], sizes);
    expect(batch.groups.map(({ height, width, slots, patches }) => [height, width, slots, patches])).toEqual([
      [4, 4, 1, 4],
      [2, 6, 3, 3],
      [6, 2, 1, 3],
    ]);
    expect(batch.images.map(({ group, slot, start }) => [group, slot, start])).toEqual([
      [1, 0, 1],
      [2, 0, 6],
      [0, 0, 12],
      [1, 1, 18],
    ]);
    const [squares, wides, talls] = batch.groups;
    expect([...squares.patchPositions]).toEqual([12, 13, 14, 15]);
    expect([...wides.patchPositions]).toEqual([1, 2, 3, 18, 19, 20, -1, -1, -1]);
    expect([...talls.patchPositions]).toEqual([6, 7, 8]);
    const indexed = (index: Int32Array) => [...index].flatMap((row, t) => (row >= 0 ? [[t, row]] : []));
    expect(indexed(squares.patchIndex)).toEqual([12, 13, 14, 15].map((t, row) => [t, row]));
    expect(indexed(wides.patchIndex)).toEqual([1, 2, 3, 18, 19, 20].map((t, row) => [t, row]));
    expect(indexed(talls.patchIndex)).toEqual([6, 7, 8].map((t, row) => [t, row]));
    expect([...squares.latents]).toEqual([...latentsOf(square, 3)]);
    expect([...wides.latents]).toEqual([...latentsOf(wide, 1), ...latentsOf(wide, 4), ...new Array(24).fill(0)]);
    expect([...talls.latents]).toEqual([...latentsOf(tall, 2)]);
    expect(batch.groups.map(({ mask }) => [...mask])).toEqual([[1], [1, 1, 0], [1]]);
    const mask = maskOf(batch);
    for (const t of [1, 2, 3]) expect(mask[t]).toBe('1'.repeat(4).padEnd(24, '0'));
    for (const t of [6, 7, 8]) expect(mask[t]).toBe('1'.repeat(9).padEnd(24, '0'));
    for (const t of [12, 13, 14, 15]) expect(mask[t]).toBe('1'.repeat(16).padEnd(24, '0'));
    for (const t of [18, 19, 20]) expect(mask[t]).toBe('1'.repeat(21).padEnd(24, '0'));
  });

  test('where the slots of one size run out, others go on; a document takes all its slots or none', () => {
    const of = (...parts: ImagePart[]): Document => ({ parts });
    const documents = [of(image(tall)), of(image(wide), image(tall)), of(image(wide), image(wide)), of(image(square))];
    const batch = packDocuments(documents, { ...sizes, rows: 2 });
    expect(batch.unplaced).toEqual([1]);
    expect(batch.images.map(({ document, group, slot }) => [document, group, slot])).toEqual([
      [0, 2, 0],
      [2, 1, 0],
      [2, 1, 1],
      [3, 0, 0],
    ]);
  });

  test('a batch without sizes takes texts', () => {
    const batch = packDocuments([textDocument(1, 2)], { ...options, grids: [] });
    expect(batch.groups).toEqual([]);
    expect([...batch.targets.subarray(0, 3)]).toEqual([2, -1, -1]);
  });
});

test('an image that is only looked at has mask 0 and no noise, and stands like any other', () => {
  const parts = (role?: 'context'): Document => ({ parts: [text([1]), image(square, 1, { role }), image(square, 2)] });
  const sizes = { ...options, sequenceLength: 14, grids: [{ ...square, slots: 2 }] };
  const [looked, drawn] = [parts('context'), parts()].map((document) => packDocuments([document], sizes));
  expect([...looked.groups[0].mask]).toEqual([0, 1]);
  expect(looked.images.map(({ role }) => role)).toEqual(['context', 'target']);
  for (const field of ['tokens', 'targets', 'positions', 'begin', 'end'] as const) {
    expect(looked[field]).toEqual(drawn[field]);
  }
  expect(looked.groups[0].latents).toEqual(drawn.groups[0].latents);
  const [[context, target]] = drawTimesteps({ seed: 1, step: 0, ...looked });
  const [[denoised, same]] = drawTimesteps({ seed: 1, step: 0, ...drawn });
  expect(context).toBe(0);
  expect(denoised).not.toBe(0);
  expect(target).toBe(same);
});

describe('texts without loss', () => {
  const targetsOf = (...documents: Document[]) => [
    ...packDocuments(documents, { ...options, sequenceLength: 12 }).targets,
  ];

  test('their tokens are no targets; the last of them predicts what follows', () => {
    const document: Document = { parts: [text([90]), text([5, 6], false), text([7, 8]), text([91])] };
    expect(targetsOf(document)).toEqual([-1, -1, 7, 8, 91, -1, ...new Array(6).fill(-1)]);
    const same: Document = { parts: document.parts.map((part) => ({ ...part, loss: true })) as TextPart[] };
    expect(targetsOf(same)).toEqual([5, 6, 7, 8, 91, -1, ...new Array(6).fill(-1)]);
  });

  test('before and after an image', () => {
    const before: Document = { parts: [text([5, 6], false), image(square), text([7])] };
    expect(targetsOf(before)).toEqual([-1, 92, -1, -1, -1, -1, -1, 7, -1, -1, -1, -1]);
    const after: Document = { parts: [text([5, 6]), image(square), text([7, 8], false), text([9])] };
    expect(targetsOf(after)).toEqual([6, 92, -1, -1, -1, -1, -1, -1, -1, 9, -1, -1]);
  });

  test('side by side, empty, and at the end of a document', () => {
    const document: Document = { parts: [text([1]), text([2], false), text([], true), text([3], false)] };
    expect(targetsOf(document, textDocument(4, 5))).toEqual([-1, -1, -1, 5, ...new Array(8).fill(-1)]);
  });
});

describe('documents that cannot be packed', () => {
  const of = (...parts: Document['parts']): Document => ({ parts });
  test.each<[string, Document, RegExp]>([
    [
      'too long',
      textDocument(...new Array<number>(10).fill(1)),
      /DATA_DOCUMENT_TOO_LONG: .*documents\[1\] takes 10 positions, a row has 9/,
    ],
    ['too long by an image', of(text([1, 2, 3, 4]), image(square)), /DATA_DOCUMENT_TOO_LONG: .*takes 10 positions/],
    ['too long by two images', of(image(square), image(square)), /DATA_DOCUMENT_TOO_LONG: .*takes 12 positions/],
    [
      'an image of another size',
      of(image(wide)),
      /DATA_IMAGE_GRID: .*documents\[1\] has an image of 6 x 2, the batch has images of 4 x 4/,
    ],
    [
      'as many values in another shape',
      of(image(square, 1, { height: 2, width: 8 })),
      /DATA_IMAGE_GRID: .*an image of 8 x 2/,
    ],
    [
      'a size that has no patches',
      of(image({ height: 3, width: 4 })),
      /DATA_IMAGE_GRID: .*documents\[1\] has an image of 4 x 3/,
    ],
    [
      'too few values',
      of(image(square, 1, { latents: new Float32Array(7) })),
      /DATA_IMAGE_SHAPE: .*documents\[1\].*7 values, expected \[4, 4, 2\] = 32/,
    ],
    ['too many values', of(image(square, 1, { latents: new Float32Array(48) })), /DATA_IMAGE_SHAPE: .*48 values/],
    ['empty', of(), /DATA_DOCUMENT_EMPTY/],
    ['of empty texts', of(text([]), text([])), /DATA_DOCUMENT_EMPTY/],
    ['negative id', textDocument(-1), /DATA_TOKEN_ID: .*documents\[1\] has token id -1/],
    ['fractional id', textDocument(0.5), /DATA_TOKEN_ID/],
    ['missing id', textDocument(1, undefined as unknown as number), /DATA_TOKEN_ID: .*has token id undefined/],
    ['id beyond i32', textDocument(2 ** 32 - 1), /DATA_TOKEN_ID: .*has token id 4294967295/],
  ])('%s', (_name, document, message) => {
    expect(() => packDocuments([textDocument(1), document], options)).toThrow(message);
  });

  test('images beyond the slots of their size', () => {
    const grids = [
      { ...square, slots: 1 },
      { ...wide, slots: 4 },
    ];
    const document = of(image(wide), image(square), image(square));
    expect(() => packDocuments([document], { ...options, sequenceLength: 20, grids })).toThrow(
      /DATA_TOO_MANY_IMAGES: .*has 2 images of 4 x 4, a batch has room for 1/,
    );
  });

  test.each<[string, Partial<PackOptions>, RegExp]>([
    ['no rows', { rows: 0 }, /DATA_PACK_OPTIONS.*rows is 0/],
    ['no positions', { sequenceLength: 0 }, /DATA_PACK_OPTIONS.*sequenceLength is 0/],
    ['half a channel', { channels: 0.5 }, /DATA_PACK_OPTIONS.*channels is 0.5/],
    ['no patch', { patchSize: 0 }, /DATA_PACK_OPTIONS.*patchSize is 0/],
    ['no images in a row', { imageDocumentsPerRow: 0 }, /DATA_PACK_OPTIONS.*imageDocumentsPerRow is 0/],
    ['fewer slots than none', { grids: [{ ...square, slots: -1 }] }, /DATA_PACK_OPTIONS.*grids\[0\]\.slots is -1/],
    ['an image without height', { grids: [{ height: 0, width: 4, slots: 1 }] }, /grids\[0\]\.height is 0/],
    [
      'a size twice',
      { grids: [square, wide, square].map((grid) => ({ ...grid, slots: 1 })) },
      /DATA_PACK_OPTIONS.*grids\[2\] is 4 x 4, as one before it/,
    ],
    [
      'a size that does not divide into patches',
      { grids: [{ height: 4, width: 3, slots: 1 }] },
      /DATA_PATCH_SIZE: .*3 x 4 .*2 x 2/,
    ],
  ])('options: %s', (_name, more, message) => {
    expect(() => packDocuments([], { ...options, ...more })).toThrow(message);
  });
});
