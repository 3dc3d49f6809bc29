/** @file What went wrong, and what to do about it, in a sentence each. */
import { TransfusionError } from '@transfusion/core';
import type { Trouble } from './protocol.js';

const ADVICE: Record<string, string> = {
  DEVICE_LOST: 'The page goes on with a fresh one. Try again; training resumes from its last save.',
  BACKEND_DISPOSED: 'The page goes on with a fresh one. Try again; training resumes from its last save.',
  OUT_OF_MEMORY: 'Draw fewer pictures at once, train with fewer rows, or close other tabs, and try again.',
  BACKEND_UNAVAILABLE: 'Reload the page; if it stays so, use a current Chrome, Edge, Firefox or Safari.',
  QuotaExceededError: 'The storage of this browser is full: export your models, then remove some under “Model”.',
  NoModificationAllowedError: 'Another tab of this page holds the files: close it, and try again.',
  NotAllowedError: 'Allow it in the address bar, or choose a file instead.',
  NotFoundError: 'Choose it again: the file has moved, or the device is not there.',
  DRAWING_SETTINGS: 'Only pictures that were downloaded here, or drawn by the command line, tell their settings.',
  TRAINING_DIVERGED: 'Start again with a lower learning rate.',
  AbortError: 'It was stopped.',
};

/** Whether somebody stopped it. */
export function isAbort(error: unknown): boolean {
  return nameOf(error) === 'AbortError';
}

/** Whether no run on this backend will work any more. */
export function isDeviceLost(error: unknown): boolean {
  return TransfusionError.isInstance(error) && ['DEVICE_LOST', 'BACKEND_DISPOSED'].includes(error.code);
}

export function troubleOf(error: unknown): Trouble {
  if (TransfusionError.isInstance(error)) {
    const { code, message, fix } = error;
    const [first] = message.slice(code.length + 2).split('\n  fix: ');
    return { code, message: sentence(first), advice: sentence(ADVICE[code] ?? fix ?? '') };
  }
  const name = nameOf(error);
  if (error instanceof RangeError && /alloc|memory/i.test(error.message)) {
    return { code: 'OUT_OF_MEMORY', message: 'There is not enough memory.', advice: ADVICE.OUT_OF_MEMORY };
  }
  const advice = ADVICE[name] ?? 'Try again; if it happens again, reload the page. What was saved is kept.';
  return { code: name, message: sentence((error as Error | null)?.message || String(error)), advice };
}

function nameOf(error: unknown): string {
  return (error as Error | null)?.name ?? 'Error';
}

function sentence(text: string): string {
  if (text === '') return '';
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
