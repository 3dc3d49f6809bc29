/** @file Clean context: what later positions see of an image to denoise is a clean copy, and its noised patches see what is before it. */
import fc from 'fast-check';
import {
  type Document,
  documentLength,
  type ImagePart,
  imagesInRow,
  type LayoutOptions,
  layOut,
  packDocuments,
  type TextPart,
} from './index.js';

const [BOI, EOI] = [92, 93];
const special = { boi: BOI, eoi: EOI, pad: 94 };
const image = (height: number, width: number, more: Partial<ImagePart> = {}): ImagePart => {
  return { kind: 'image', height, width, latents: new Float32Array(height * width).fill(height + width), ...more };
};
const text = (...ids: number[]): TextPart => ({ kind: 'text', ids });
const options: LayoutOptions = { patchSize: 2, special, imageContext: 'clean' };
const field = <Name extends 'token' | 'position' | 'begin' | 'end' | 'target'>(
  { positions }: ReturnType<typeof layOut>,
  name: Name,
) => positions.map((each) => each[name]);

describe('one image of 2 patches: n n | 1 2 BOI c c EOI 3', () => {
  const document: Document = { parts: [text(1, 2), image(2, 4), text(3)] };
  const layout = layOut(document, options);

  test('places, positions, and who sees whom', () => {
    expect(field(layout, 'token')).toEqual([-1, -1, 1, 2, BOI, -1, -1, EOI, 3]);
    // The noised patches have the positions of the clean ones, and stand in reverse.
    expect(field(layout, 'position')).toEqual([4, 3, 0, 1, 2, 3, 4, 5, 6]);
    expect(field(layout, 'begin')).toEqual([0, 0, 2, 2, 2, 2, 2, 2, 2]);
    expect(field(layout, 'end')).toEqual([5, 5, 3, 4, 5, 7, 7, 8, 9]);
    expect(field(layout, 'target')).toEqual([-1, -1, 2, BOI, -1, -1, -1, 3, -1]);
    expect(layout.images).toEqual([
      { image: document.parts[1], role: 'target', places: [1, 0] },
      { image: document.parts[1], role: 'context', places: [5, 6] },
    ]);
  });

  test('causal: a noised patch sees those before it in its image, itself, and what is before the image', () => {
    const causal = layOut(document, { ...options, imageAttention: 'causal' });
    // The second noised patch stands at 0, the first at 1.
    expect(field(causal, 'begin').slice(0, 2)).toEqual([0, 1]);
    expect(field(causal, 'end').slice(0, 7)).toEqual([5, 5, 3, 4, 5, 6, 7]);
  });

  test('in a batch: two slots, of which one has a loss', () => {
    const batch = packDocuments([{ parts: [text(7)] }, document], {
      ...{ ...options, special, rows: 1, sequenceLength: 12, channels: 1, grids: [{ height: 2, width: 4, slots: 3 }] },
    });
    const [group] = batch.groups;
    expect([...group.mask]).toEqual([1, 0, 0]);
    expect([...group.patchPositions]).toEqual([2, 1, 6, 7, -1, -1]);
    expect([...group.patchIndex]).toEqual([-1, 1, 0, -1, -1, -1, 2, 3, -1, -1, -1, -1]);
    expect([...batch.begin]).toEqual([0, 1, 1, 3, 3, 3, 3, 3, 3, 3, 10, 11]);
    expect([...group.latents.subarray(0, 8)]).toEqual([...group.latents.subarray(8, 16)]);
    expect(batch.images.map(({ role, slot, start }) => [role, slot, start])).toEqual([
      ['target', 0, 2],
      ['context', 1, 6],
    ]);
  });
});

test('an image to look at, and two to denoise: the first of these has a section of its own, without loss', () => {
  const [looked, first, last] = [image(2, 2, { role: 'context' }), image(2, 2), image(2, 4)];
  const document: Document = { parts: [text(1), looked, first, text(2), last, text(3)] };
  const layout = layOut(document, options);
  expect(field(layout, 'token')).toEqual([
    ...[-1, -1, 1, BOI, -1, EOI, BOI, -1, EOI, 2, BOI, -1, -1, EOI, 3],
    ...[-1, 1, BOI, -1, EOI, BOI],
  ]);
  expect(field(layout, 'begin')).toEqual([0, 0, ...new Array(13).fill(2), 15, ...new Array(5).fill(16)]);
  expect(field(layout, 'end').slice(0, 2)).toEqual([11, 11]);
  expect(field(layout, 'end').slice(15)).toEqual([21, 17, 18, 19, 20, 21]);
  expect(field(layout, 'position').slice(15)).toEqual([5, 0, 1, 2, 3, 4]);
  expect(field(layout, 'target').slice(15)).toEqual(new Array(6).fill(-1));
  expect(field(layout, 'target').slice(2, 15)).toEqual([BOI, -1, -1, BOI, -1, -1, 2, BOI, -1, -1, -1, 3, -1]);
  expect(layout.images.map(({ image: each, role, places }) => [document.parts.indexOf(each), role, places])).toEqual([
    [1, 'context', [4]],
    [2, 'context', [7]],
    [4, 'target', [1, 0]],
    [4, 'context', [11, 12]],
    [1, 'context', [18]],
    [2, 'target', [15]],
  ]);
});

describe('any document', () => {
  const part = fc.oneof(
    fc.array(fc.nat(9), { maxLength: 3 }).map((ids): TextPart => text(...ids)),
    fc
      .record({
        size: fc.constantFrom<[number, number]>([2, 2], [2, 6], [4, 4]),
        role: fc.constantFrom(undefined, 'context' as const),
      })
      .map(({ size: [height, width], role }) => image(height, width, { role })),
  );
  const cases = fc.record({
    document: fc.array(part, { minLength: 1, maxLength: 6 }).map((parts): Document => ({ parts })),
    imageAttention: fc.constantFrom('bidirectional' as const, 'causal' as const),
    imagePositions: fc.constantFrom('1d' as const, '2d' as const),
  });
  const all = (check: (document: Document, reading: LayoutOptions) => void) =>
    fc.assert(
      fc.property(cases, ({ document, ...reading }) => check(document, { ...options, ...reading })),
      { numRuns: 200, seed: 1 },
    );

  test('nothing but the patches of an image themselves sees its noise, even through others', () => {
    all((document, reading) => {
      const { positions, images } = layOut(document, reading);
      for (const { places } of images.filter(({ role }) => role === 'target')) {
        const noised = new Set(places);
        positions.forEach(({ begin, end }, at) => {
          if (noised.has(at)) return;
          for (const place of places) expect(place < begin || place >= end).toBe(true);
        });
      }
    });
  });

  test('what each position sees is what it would see in the plain layout, with clean images', () => {
    all((document, reading) => {
      const plain = layOut(document, { ...reading, imageContext: 'noised' });
      const clean = layOut(document, reading);
      // What a position is: which token of the document, or which patch of which image, by its rotary position and by what it is.
      const imageAt = ({ images }: typeof plain) =>
        new Map(images.flatMap(({ image: each, places }) => places.map((place, i) => [place, { each, i }] as const)));
      const nameOf = (layout: typeof plain) => {
        const patches = imageAt(layout);
        return layout.positions.map(({ token, position, column }, at) => {
          const patch = patches.get(at);
          return `${patch ? `${document.parts.indexOf(patch.each)}/${patch.i}` : token} at ${position}, ${column}`;
        });
      };
      const [plainNames, names] = [nameOf(plain), nameOf(clean)];
      const seenBy = (layout: typeof plain, all: string[], at: number) =>
        all.slice(layout.positions[at].begin, layout.positions[at].end).sort();
      const expected = new Map(plainNames.map((name, at) => [name, seenBy(plain, plainNames, at)]));
      names.forEach((name, at) => expect(seenBy(clean, names, at)).toEqual(expected.get(name)));
      expect(new Set(names)).toEqual(new Set(plainNames));
    });
  });

  test('the same targets, once; each image to denoise once with a loss; lengths and images as they are announced', () => {
    all((document, reading) => {
      const plain = layOut(document, { ...reading, imageContext: 'noised' });
      const clean = layOut(document, reading);
      const targetsOf = ({ positions }: typeof plain) =>
        positions.flatMap(({ target }) => (target < 0 ? [] : [target]));
      expect(targetsOf(clean)).toEqual(targetsOf(plain));
      const denoised = ({ images }: typeof plain) =>
        images.flatMap(({ image: each, role }) => (role === 'target' ? [document.parts.indexOf(each)] : [])).sort();
      expect(denoised(clean)).toEqual(denoised(plain));
      for (const [layout, context] of [
        [plain, 'noised'],
        [clean, 'clean'],
      ] as const) {
        expect(documentLength(document, 2, context)).toBe(layout.positions.length);
        const sizes = imagesInRow(document, context).map(({ height, width }) => `${height} x ${width}`);
        expect(sizes.sort()).toEqual(
          layout.images.map(({ image: { height, width } }) => `${height} x ${width}`).sort(),
        );
      }
    });
  });
});
