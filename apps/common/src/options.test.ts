import { number, numberAbove, wholeNumber } from './options.js';

test('a whole number says which there may be, also where it is too large to be exact', () => {
  const seed = wholeNumber(0);
  expect(seed('9007199254740991')).toBe(9007199254740991);
  for (const wrong of ['-1', '1.5', 'x', '', ' ']) expect(() => seed(wrong)).toThrow(/^give a whole number from 0$/);
  for (const huge of ['9007199254740992', '18446744073709551615', '1e400']) {
    expect(() => seed(huge)).toThrow(/^give a whole number from 0 to 9007199254740991$/);
  }
  expect(() => wholeNumber(1, 64)('65')).toThrow(/^give a whole number from 1 to 64$/);
});

test('a number says its limits, where it has any', () => {
  expect(number()('-2.5')).toBe(-2.5);
  expect(() => number()('Infinity')).toThrow(/^give a number$/);
  expect(() => number(0)('-1')).toThrow(/^give a number from 0$/);
  expect(() => number(0, 1)('2')).toThrow(/^give a number from 0 to 1$/);
});

test('a number above a limit is not the limit', () => {
  expect(numberAbove(0, 1)('1')).toBe(1);
  for (const wrong of ['0', '1.5', 'x']) {
    expect(() => numberAbove(0, 1)(wrong)).toThrow(/^give a number above 0, at most 1$/);
  }
  expect(() => numberAbove(0)('0')).toThrow(/^give a number above 0$/);
});
