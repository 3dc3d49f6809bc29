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
