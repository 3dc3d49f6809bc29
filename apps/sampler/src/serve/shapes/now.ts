/** @file Times and ids of answers. */
import { randomBytes } from 'node:crypto';

/** Unix time in seconds. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** As in `chatcmpl-5f0c...`. */
export function newId(prefix: string): string {
  return `${prefix}${randomBytes(16).toString('hex')}`;
}
