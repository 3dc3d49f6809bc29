import fc from 'fast-check';
import {
  type CaptionOrder,
  captionDocument,
  captionedLength,
  type Document,
  describingPrefix,
  describingPrefixLength,
  documentLength,
  drawingPrefix,
  editingPrefix,
  imageLength,
  interleavedDocument,
  packDocuments,
  patchCount,
  textIds,
  withoutTexts,
} from './index.js';

const special = { bos: 90, eos: 91, boi: 92, eoi: 93, pad: 94 };
/** 2 x 3 patches. */
const image = { height: 4, width: 6, latents: new Float32Array(4 * 6) };
const patches = 6;

/** A row that the document fills, as packing writes it. */
function tokensOf(document: Document): number[] {
  const sequenceLength = documentLength(document, 2);
  const grids = [{ height: 4, width: 6, slots: 3 }];
  const batch = packDocuments([document], { rows: 1, sequenceLength, grids, channels: 1, patchSize: 2, special });
  return [...batch.tokens];
}

describe('patchCount', () => {
  test('height and width count, not the area alone', () => {
    expect(patchCount({ height: 4, width: 6 }, 2)).toBe(6);
    expect(patchCount({ height: 12, width: 2 }, 2)).toBe(6);
    expect(patchCount({ height: 3, width: 5 }, 1)).toBe(15);
    expect(patchCount({ height: 8, width: 8 }, 8)).toBe(1);
  });

  test.each([
    [3, 4, 2],
    [4, 3, 2],
    [2, 2, 4],
    [4, 4, 0],
  ])('%d x %d by %d is refused', (width, height, patchSize) => {
    expect(() => patchCount({ height, width }, patchSize)).toThrow(
      `an image of ${width} x ${height} does not divide into patches of ${patchSize} x ${patchSize}`,
    );
    const document: Document = { parts: [{ kind: 'image', height, width, latents: new Float32Array(height * width) }] };
    expect(() => documentLength(document, patchSize)).toThrow(/DATA_PATCH_SIZE/);
  });
});

describe('documents of a picture', () => {
  const orders: [CaptionOrder, boolean, number[]][] = [
    ['caption-first', false, [90, 5, 6, 92, -1, -1, -1, -1, -1, -1, 93, 91]],
    ['caption-first', true, [90, 92, -1, -1, -1, -1, -1, -1, 93, 91]],
    ['image-first', false, [90, 92, -1, -1, -1, -1, -1, -1, 93, 5, 6, 91]],
    ['image-first', true, [90, 92, -1, -1, -1, -1, -1, -1, 93, 5, 6, 91]],
  ];
  test.each(orders)('%s, caption dropped: %s', (order, dropCaption, tokens) => {
    const document = captionDocument({ captionIds: Int32Array.of(5, 6), image, order, special, dropCaption });
    expect(tokensOf(document)).toEqual(tokens);
    const captionTokens = tokens.filter((id) => id === 5 || id === 6).length;
    expect(captionedLength({ tokens: captionTokens, patches })).toBe(tokens.length);
  });

  test('what is drawn continues what is trained on', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(89), { maxLength: 6 }), (captionIds) => {
        const document = captionDocument({ captionIds, image, order: 'caption-first', special });
        const prefix = drawingPrefix(Int32Array.from(captionIds), special);
        expect(tokensOf(document).slice(0, prefix.length)).toEqual(prefix);
        expect(tokensOf(document)).toHaveLength(captionedLength({ tokens: captionIds.length, patches }));
        const dropped = captionDocument({ captionIds, image, order: 'caption-first', special, dropCaption: true });
        expect(tokensOf(dropped).slice(0, 2)).toEqual(drawingPrefix([], special));
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  test('the cap of image-first holds for image-first; role and cap of the image stay', () => {
    const capOf = (order: CaptionOrder, more: { noiseCap?: number }, imageFirstCap?: number) =>
      captionDocument({ captionIds: [5], image: { ...image, ...more }, order, special, imageFirstCap }).parts.flatMap(
        (part) => (part.kind === 'image' ? [part.noiseCap] : []),
      );
    expect(capOf('image-first', {}, 500)).toEqual([500]);
    expect(capOf('caption-first', {}, 500)).toEqual([undefined]);
    expect(capOf('image-first', {})).toEqual([undefined]);
    expect(capOf('image-first', { noiseCap: 300 })).toEqual([300]);
    expect(capOf('caption-first', { noiseCap: 300 }, 500)).toEqual([300]);
    for (const order of ['caption-first', 'image-first'] as const) {
      const { parts } = captionDocument({ captionIds: [5], image: { ...image, role: 'context' }, order, special });
      expect(parts[1]).toMatchObject({ kind: 'image', height: 4, width: 6, role: 'context', latents: image.latents });
    }
  });
});

test('any interleaving stands between BOS and EOS, its parts as they are', () => {
  const prompt = { kind: 'text' as const, ids: [5, 6], loss: false };
  const context = { kind: 'image' as const, ...image, role: 'context' as const };
  const parts = [prompt, context, { kind: 'text' as const, ids: [7] }];
  const document = interleavedDocument(parts, special);
  expect(document.parts.slice(1, -1)).toEqual(parts);
  expect(tokensOf(document)).toEqual([90, 5, 6, 92, -1, -1, -1, -1, -1, -1, 93, 7, 91]);
  expect(documentLength(document, 2)).toBe(2 + 3 + imageLength(patches));
  expect(tokensOf(interleavedDocument([], special))).toEqual([90, 91]);
});

test('a text of its own', () => {
  expect(textIds(Uint16Array.of(5, 6), special)).toEqual([90, 5, 6, 91]);
  expect(tokensOf(interleavedDocument([{ kind: 'text', ids: [5, 6] }], special))).toEqual(textIds([5, 6], special));
});

describe('images whose size is announced', () => {
  const announced = { ...image, sizeToken: 50 };
  const tokens = [50, 92, -1, -1, -1, -1, -1, -1, 93];

  test.each<[CaptionOrder, boolean, number[]]>([
    ['caption-first', false, [90, 5, 6, ...tokens, 91]],
    ['caption-first', true, [90, ...tokens, 91]],
    ['image-first', false, [90, ...tokens, 5, 6, 91]],
  ])('%s, caption dropped: %s', (order, dropCaption, expected) => {
    const document = captionDocument({ captionIds: [5, 6], image: announced, order, special, dropCaption });
    expect(tokensOf(document)).toEqual(expected);
    const captionTokens = expected.filter((id) => id === 5 || id === 6).length;
    expect(captionedLength({ tokens: captionTokens, patches, announced: true })).toBe(expected.length);
    const opened = expected.indexOf(-1);
    if (order === 'caption-first') {
      const ids = dropCaption ? [] : [5, 6];
      expect(drawingPrefix(ids, special, 50)).toEqual(expected.slice(0, opened));
    } else {
      const { before, after } = describingPrefix(special, 50);
      expect([before, after]).toEqual([expected.slice(0, opened), [93]]);
      expect(describingPrefixLength(patches, true)).toBe(before.length + patches + after.length);
    }
  });

  test('SIZE and the BOI after it are targets, BOI and patches have none; each sees what is before it', () => {
    const parts = [
      { kind: 'text' as const, ids: [5] },
      { kind: 'image' as const, ...announced },
    ];
    const document = interleavedDocument([...parts, { kind: 'image' as const, ...image }], special);
    const sequenceLength = documentLength(document, 2);
    expect(sequenceLength).toBe(3 + 2 * imageLength(patches) + 1);
    const grids = [{ height: 4, width: 6, slots: 3 }];
    const batch = packDocuments([document], { rows: 1, sequenceLength, grids, channels: 1, patchSize: 2, special });
    const none = new Array<number>(patches).fill(-1);
    expect([...batch.tokens]).toEqual([90, 5, ...tokens, 92, ...none, 93, 91]);
    expect([...batch.targets]).toEqual([5, 50, 92, -1, ...none, 92, -1, ...none, 91, -1]);
    expect([...batch.end.slice(0, 5)]).toEqual([1, 2, 3, 4, 10]);
    expect(batch.images.map(({ start }) => start)).toEqual([4, 12]);
  });

  test('a size token that is no id is refused', () => {
    const document: Document = { parts: [{ kind: 'image', ...image, sizeToken: -1 }] };
    expect(() => tokensOf(document)).toThrow(/DATA_TOKEN_ID/);
  });
});

describe('editing', () => {
  const context = { kind: 'image' as const, ...image, role: 'context' as const };
  const target = { kind: 'image' as const, ...image };
  const text = (...ids: number[]) => ({ kind: 'text' as const, ids });

  test('what stands before the edited image is the document up to it', () => {
    const { before, after } = editingPrefix(Uint16Array.of(5, 6), special);
    const whole = tokensOf(interleavedDocument([context, text(5, 6), target], special));
    const shown = [...before, ...Array<number>(patches).fill(-1), ...after];
    expect(shown).toEqual(whole.slice(0, shown.length));
    expect(whole[shown.length]).toBe(-1);
  });

  test('dropping leaves images, and texts after the last image to denoise', () => {
    expect(withoutTexts([context, text(5), target])).toEqual([context, target]);
    expect(withoutTexts([text(1), target, text(2), context, text(3), target, text(4), context, text(5)])).toEqual([
      ...[target, context, target, text(4), context, text(5)],
    ]);
    // Nothing to denoise: what is said of an image to look at is what is learned.
    expect(withoutTexts([context, text(5)])).toEqual([context, text(5)]);
    expect(withoutTexts([text(5)])).toEqual([text(5)]);
    const dropped = tokensOf(interleavedDocument(withoutTexts([context, text(5, 6), target]), special));
    const { before, after } = editingPrefix([], special);
    expect(dropped.slice(0, 2)).toEqual(before);
    expect(dropped.slice(2 + patches, 2 + patches + after.length)).toEqual(after);
  });
});
