/** @file Every trouble has a sentence that says what it is, and one that says what to do. */
import { TransfusionError } from '@transfusion/core';
import { BackendError, OutOfMemoryError } from '@transfusion/tensor';
import { isAbort, isDeviceLost, troubleOf } from './advice.js';

test.each<[string, unknown, RegExp, RegExp]>([
  [
    'an error of the project',
    new TransfusionError({ code: 'X', message: 'a is b', fix: 'give c' }),
    /^A is b\.$/,
    /^Give c\.$/,
  ],
  [
    'a device that was lost',
    new BackendError({ code: 'DEVICE_LOST', message: 'the driver reset' }),
    /^The driver reset\.$/,
    /resumes from its last save/,
  ],
  ['a full storage', new DOMException('no room', 'QuotaExceededError'), /^No room\.$/, /export your models/],
  ['another tab', new DOMException('locked', 'NoModificationAllowedError'), /^Locked\.$/, /Another tab/],
  ['too little memory', new RangeError('Array buffer allocation failed'), /not enough memory/, /fewer/],
  ['anything else', new Error('what?'), /^What\?$/, /saved is kept/],
])('%s', (_, error, message, advice) => {
  const trouble = troubleOf(error);
  expect(trouble.message).toMatch(message);
  expect(trouble.advice).toMatch(advice);
});

test('what was stopped, what was lost', () => {
  expect(isAbort(new DOMException('', 'AbortError'))).toBe(true);
  expect(isAbort(new Error())).toBe(false);
  expect(isDeviceLost(new BackendError({ code: 'DEVICE_LOST', message: '' }))).toBe(true);
  expect(isDeviceLost(new BackendError({ code: 'KERNEL_FAILED', message: '' }))).toBe(false);
  expect(troubleOf(new OutOfMemoryError({ message: 'it needs 9 GB' })).code).toBe('OUT_OF_MEMORY');
});
