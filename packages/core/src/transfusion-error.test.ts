import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reason, TransfusionError } from './transfusion-error.js';

class StorageError extends TransfusionError<'STORAGE_FULL' | 'STORAGE_LOST'> {
  override readonly name = 'StorageError';
}

describe('TransfusionError', () => {
  const cause = new RangeError('why');
  const error = new TransfusionError({ code: 'SOME_CODE', message: 'a is 1, b is 2', fix: 'make them equal', cause });

  test('carries code, message, fix and cause', () => {
    expect(error).toMatchObject({ name: 'TransfusionError', code: 'SOME_CODE', fix: 'make them equal', cause });
    expect(error.message).toBe('SOME_CODE: a is 1, b is 2\n  fix: make them equal');
    expect(new TransfusionError({ code: 'SOME_CODE', message: 'a' }).message).toBe('SOME_CODE: a');
  });

  test('is recognised across copies of the package', () => {
    expect(TransfusionError.isInstance(error)).toBe(true);
    expect(TransfusionError.isInstance({ [Symbol.for('@transfusion/error')]: true })).toBe(true);
    expect(TransfusionError.isInstance(new Error('x'))).toBe(false);
    expect(TransfusionError.isInstance(undefined)).toBe(false);
  });

  test('a subclass has its own name, and is one', () => {
    const full = new StorageError({ code: 'STORAGE_FULL', message: '3 bytes left' });
    expect(full).toBeInstanceOf(TransfusionError);
    expect(String(full)).toBe('StorageError: STORAGE_FULL: 3 bytes left');
  });
});

test('the reason of anything thrown', () => {
  expect([reason(new TypeError('a')), reason('b'), reason(undefined)]).toEqual(['a', 'b', 'undefined']);
});

test('a file that is not there is told without the words of the system', () => {
  const error = (path: string) => {
    try {
      return readFileSync(path);
    } catch (thrown) {
      return reason(thrown);
    }
  };
  expect(error(join(__dirname, 'nothing.json'))).toBe('it does not exist');
  expect(error(__dirname)).toBe('it is a folder');
});
