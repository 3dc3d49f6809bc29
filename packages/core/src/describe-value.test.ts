import { runInNewContext } from 'node:vm';
import { describeKind, describeValue, tagOf } from './describe-value.js';

test.each([
  [undefined, 'nothing'],
  [null, 'null'],
  [[1], 'a plain array'],
  [{}, 'a plain object'],
  [new Int8Array(1), 'an Int8Array'],
  [new Float32Array(1), 'a Float32Array'],
  [Buffer.alloc(1), 'a Uint8Array'],
  [Promise.resolve(), 'a Promise'],
  ['text', 'a string'],
  [1n, 'a bigint'],
])('the kind of %p is %s', (value, kind) => {
  expect(describeKind(value)).toBe(kind);
});

test('the tag of an array of another realm is that of its class', () => {
  const foreign = runInNewContext('new Float32Array(2)');
  expect(foreign).not.toBeInstanceOf(Float32Array);
  expect(tagOf(foreign)).toBe('Float32Array');
});

const circle: { self?: unknown } = {};
circle.self = circle;

test.each([
  ['text', '"text"'],
  [Number.NaN, 'NaN'],
  [-Infinity, '-Infinity'],
  [3n, '3'],
  [{ a: [1, null] }, '{"a":[1,null]}'],
  [undefined, 'nothing'],
  [() => 1, 'a function'],
  [circle, 'a plain object'],
  [[1n], 'a plain array'],
])('the value %p is shown as %s', (value, shown) => {
  expect(describeValue(value)).toBe(shown);
});

// Not among the values above: the name of its test would be all of them.
test('an array of a million numbers is shown by its kind', () => {
  expect(describeValue(new Float32Array(1e6))).toBe('a Float32Array');
});

test('a long value is cut short', () => {
  expect(describeValue('x'.repeat(100))).toBe(`"${'x'.repeat(56)}...`);
});
