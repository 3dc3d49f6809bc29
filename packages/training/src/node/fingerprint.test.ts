import { changedData, fingerprintOf } from './fingerprint.js';

const pictures = [
  { caption: 'a', pixels: Uint8Array.of(1, 2, 3) },
  { caption: undefined, pixels: Uint8Array.of(4, 5, 6) },
];
const texts = [{ text: 'once upon' }];

function told(before: ReturnType<typeof fingerprintOf> | undefined, now = fingerprintOf(pictures, texts)): string {
  return changedData({ data: before, step: 7 }, now) ?? '';
}

test('the same data say nothing, nor does a run that did not note them', () => {
  expect(told(fingerprintOf(pictures, texts))).toBe('');
  expect(told(undefined)).toBe('');
});

test('a pixel, a caption, a missing caption, a text and the order count', () => {
  const [first, second] = pictures;
  const others = [
    fingerprintOf([{ ...first, pixels: Uint8Array.of(1, 2, 4) }, second], texts),
    fingerprintOf([{ ...first, caption: 'b' }, second], texts),
    fingerprintOf([{ ...first, otherCaptions: ['b'] }, second], texts),
    fingerprintOf([first, { ...second, caption: '' }], texts),
    fingerprintOf(pictures, [{ text: 'twice' }]),
    fingerprintOf([second, first], texts),
  ];
  for (const other of others) expect(told(other)).toMatch(/until step 7: their number is the same, their contents/);
});

test('a change of their number is told with both', () => {
  expect(told(fingerprintOf([pictures[0]]))).toMatch(
    /1 picture then, 2 pictures and 1 text now; it goes on with these, and some/,
  );
});

test('of documents every text, picture, role and their order count, and whether two are the same picture', () => {
  const pixels = Uint8Array.of(1, 2, 3);
  const image = { kind: 'image' as const, width: 1, height: 1, pixels };
  const text = (words: string, loss?: boolean) => ({ kind: 'text' as const, text: words, loss });
  const of = (...documents: Parameters<typeof fingerprintOf>[2] & {}) => fingerprintOf([], [], documents).hash;
  const other = { ...image, pixels: Uint8Array.of(1, 2, 4) };
  const base = of({ parts: [image, text('a'), image] }, { parts: [text('b')] });
  const all = [
    base,
    of({ parts: [text('b')] }, { parts: [image, text('a'), image] }),
    of({ parts: [image, text('a'), image, text('b')] }),
    of({ parts: [image, text('c'), image] }, { parts: [text('b')] }),
    of({ parts: [image, text('a', false), image] }, { parts: [text('b')] }),
    of({ parts: [{ ...image, role: 'context' }, text('a'), image] }, { parts: [text('b')] }),
    of({ parts: [{ ...image, noiseCap: 5 }, text('a'), image] }, { parts: [text('b')] }),
    of({ parts: [image, text('a'), other] }, { parts: [text('b')] }),
    of({ parts: [other, text('a'), image] }, { parts: [text('b')] }),
  ];
  expect(new Set(all).size).toBe(all.length);
  expect(of({ parts: [{ ...image }, text('a'), { ...image }] }, { parts: [text('b')] })).toBe(base);
  expect(told(fingerprintOf(pictures, texts), fingerprintOf(pictures, [], [{ parts: [image] }]))).toMatch(
    /2 pictures and 1 text then, 2 pictures and 1 document now/,
  );
  // Runs from before there were documents have the hash that they had.
  expect(fingerprintOf(pictures, texts, [])).toEqual(fingerprintOf(pictures, texts));
});
