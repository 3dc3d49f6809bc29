/** @file Who may ask: one of some keys, as `Authorization: Bearer KEY`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../api-error.js';

export class ApiKeys {
  readonly #hashes: Buffer[];

  constructor(keys: readonly string[]) {
    this.#hashes = keys.map(hash);
  }

  get required(): boolean {
    return this.#hashes.length > 0;
  }

  /** @throws ApiError 401, in the words of OpenAI's API */
  check(authorization: string | undefined): void {
    if (!this.required) return;
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) {
      throw unauthorized(
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        null,
      );
    }
    const own = hash(given);
    // Hashes have one length, and each is looked at whole: time tells nothing of a key.
    const isKnown = this.#hashes.reduce((found, each) => timingSafeEqual(each, own) || found, false);
    if (!isKnown) throw unauthorized('Incorrect API key provided.', 'invalid_api_key');
  }
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function unauthorized(message: string, code: string | null): ApiError {
  return new ApiError({ status: 401, message, code, headers: { 'www-authenticate': 'Bearer' } });
}

/** The keys of a file, one a line, and of a text with commas between. Empty lines and those that begin with # are passed over. */
export function parseKeys(file: string | undefined, list: string | undefined): string[] {
  const lines = (file ?? '').split(/\r?\n/).filter((line) => !line.trimStart().startsWith('#'));
  const keys = [...lines, ...(list ?? '').split(',')].map((key) => key.trim());
  return [...new Set(keys.filter((key) => key !== ''))];
}
