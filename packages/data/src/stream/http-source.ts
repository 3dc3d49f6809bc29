/** @file A file of an HTTP server, read in ranges; an answer that breaks off is gone on with from the byte where it broke. */
import { reason, TransfusionError } from '@transfusion/core';
import { type ByteSource, checkRange } from './byte-source.js';

/** Answers of a server that has trouble for the moment. */
const PASSING = [408, 425, 429, 500, 502, 503, 504];
/** No server is waited for longer than this at once. */
const MOST_DELAY_MS = 30_000;
/** After so many bytes, an answer that breaks off does not count as one more try in vain. */
const PROGRESS_BYTES = 2 ** 16;

export interface HttpSourceOptions {
  /** Sent with every request, such as `authorization`. */
  headers?: Record<string, string>;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch;
  /** Ends all requests; they then throw its reason. */
  signal?: AbortSignal;
  /** How often a range is asked for again, one time after the other, without anything having come; default 6. */
  retries?: number;
  /** Before the first time; doubled with every further one; default 250. */
  delayMs?: number;
  /** How long nothing may come before a connection counts as broken; default 60. */
  idleSeconds?: number;
  /** Bytes of the beginning that are asked for at once, and held: what is read there costs no further request; default 512. */
  firstBytes?: number;
}

/** What may be over when it is tried again. */
class PassingFault extends Error {
  /** How long the server asks to be left alone. */
  waitMs = 0;
  /** Bytes that came before it. */
  got = 0;
}

/**
 * Asks for the file's size and tag. Every later answer must be of the same file.
 *
 * @throws TransfusionError DATA_SOURCE_STATUS: the server refuses, or has trouble after all tries; DATA_SOURCE_NO_RANGES: it gives
 *   whole files only; DATA_SOURCE_ANSWER: it answers with something else than was asked for
 */
export async function openHttpSource(url: string, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const client = new RangeClient(url, options);
  const { total, first, tag, modified } = await client.open();
  const source = { name: url, size: total, version: tag ?? modified ?? '' };
  return {
    ...source,
    async read(begin, end) {
      checkRange(source, begin, end);
      return end <= first.length ? first.slice(begin, end) : client.read(begin, end);
    },
  };
}

class RangeClient {
  readonly #url: string;
  readonly #options: Required<Omit<HttpSourceOptions, 'signal'>> & Pick<HttpSourceOptions, 'signal'>;
  #total: number | undefined;
  /** Strong: two answers with it have the same bytes. */
  #tag: string | undefined;

  constructor(url: string, options: HttpSourceOptions) {
    this.#url = url;
    const { headers = {}, retries = 6, delayMs = 250, idleSeconds = 60, firstBytes = 512, signal } = options;
    this.#options = { headers, retries, delayMs, idleSeconds, firstBytes, signal, fetch: options.fetch ?? fetch };
  }

  async open(): Promise<{
    total: number;
    first: Uint8Array;
    tag: string | undefined;
    modified: string | undefined;
  }> {
    const first = new Uint8Array(this.#options.firstBytes);
    let modified: string | undefined;
    await this.#persist(
      () =>
        this.#range(0, first.length, first, {
          onHeaders: (headers) => {
            modified = headers.get('last-modified') ?? undefined;
            const tag = headers.get('etag');
            this.#tag = tag?.startsWith('"') ? tag : undefined;
          },
        }),
      () => 0,
    );
    const total = this.#total!;
    return { total, first: first.subarray(0, total), tag: this.#tag, modified };
  }

  async read(begin: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    if (begin === end) return bytes;
    let got = 0;
    await this.#persist(
      async () => {
        const before = got;
        const onBytes = (count: number) => {
          got += count;
        };
        try {
          await this.#range(begin + got, end, bytes.subarray(got), { onBytes });
        } catch (error) {
          if (error instanceof PassingFault) error.got = got - before;
          throw error;
        }
      },
      () => begin + got,
    );
    return bytes;
  }

  /**
   * Calls `action` until it is done.
   * @param at the first byte that is missing
   * @throws TransfusionError DATA_SOURCE_STATUS
   */
  async #persist(action: () => Promise<void>, at: () => number): Promise<void> {
    const { retries, delayMs, signal } = this.#options;
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      try {
        return await action();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingFault)) throw error;
        if (error.got >= PROGRESS_BYTES) tries = 0;
        if (tries >= retries) {
          throw new TransfusionError({
            code: 'DATA_SOURCE_STATUS',
            message: `${this.#url}: bytes from ${at()} on cannot be had, in ${tries + 1} tries; the last time ${error.message}`,
            fix: 'see whether the server and the network are in order, and start again',
            cause: error,
          });
        }
        await delay(Math.min(MOST_DELAY_MS, Math.max(delayMs * 2 ** tries, error.waitMs)), signal);
      }
    }
  }

  /** One request. @throws PassingFault */
  async #range(
    begin: number,
    end: number,
    into: Uint8Array,
    told: { onHeaders?: (headers: Headers) => void; onBytes?: (count: number) => void },
  ): Promise<void> {
    const { headers, signal, idleSeconds } = this.#options;
    const idle = new AbortController();
    const own = signal ? AbortSignal.any([signal, idle.signal]) : idle.signal;
    let timer = setTimeout(() => idle.abort(), idleSeconds * 1000);
    const touch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => idle.abort(), idleSeconds * 1000);
    };
    try {
      const same: Record<string, string> = this.#tag === undefined ? {} : { 'if-range': this.#tag };
      const response = await this.#options.fetch(this.#url, {
        headers: { ...headers, ...same, range: `bytes=${begin}-${end - 1}`, 'accept-encoding': 'identity' },
        signal: own,
      });
      let count: number;
      try {
        count = this.#check(response, begin, end);
      } catch (error) {
        await response.body?.cancel().catch(() => {});
        throw error;
      }
      told.onHeaders?.(response.headers);
      await this.#take(response, into.subarray(0, count), (got) => {
        touch();
        told.onBytes?.(got);
      });
    } catch (error) {
      if (signal?.aborted || TransfusionError.isInstance(error) || error instanceof PassingFault) throw error;
      throw new PassingFault(idle.signal.aborted ? `nothing came for ${idleSeconds} s` : reason(error));
    } finally {
      clearTimeout(timer);
    }
  }

  /** That the answer is the range that was asked for, of the file that was opened: how many bytes it has. */
  #check({ status, headers }: Response, begin: number, end: number): number {
    if (PASSING.includes(status)) {
      const fault = new PassingFault(`the server answers ${status}`);
      fault.waitMs = 1000 * (Number(headers.get('retry-after')) || 0);
      throw fault;
    }
    if (status === 200) {
      if (this.#total !== undefined) throw this.#changed('the server gives all of it in place of a range');
      throw new TransfusionError({
        code: 'DATA_SOURCE_NO_RANGES',
        message: `${this.#url}: the server gives whole files only (it answers 200 to a request for a range)`,
        fix: 'download the file and give its path, or put it on a server that answers requests for ranges',
      });
    }
    if (status !== 206) {
      throw new TransfusionError({
        code: 'DATA_SOURCE_STATUS',
        message: `${this.#url}: the server answers ${status} to a request for bytes ${begin} to ${end}`,
        fix: [401, 403].includes(status)
          ? 'give what it asks for, in the headers, or an address that needs nothing'
          : status === 416
            ? 'see whether the file is empty, or was cut'
            : 'correct the address',
      });
    }
    const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
    const encoding = headers.get('content-encoding') ?? 'identity';
    // What is asked for when a file is opened may be more than it has.
    const until = Math.min(end, this.#total ?? Number(total));
    if (total === undefined || Number(first) !== begin || Number(last) !== until - 1 || encoding !== 'identity') {
      throw this.#wrong(
        `asked for bytes ${begin} to ${end - 1}, the server answers with ${headers.get('content-range') ?? 'no Content-Range'}${encoding === 'identity' ? '' : `, ${encoding}`}`,
      );
    }
    if (!Number.isSafeInteger(Number(total))) throw this.#wrong(`it would have ${total} bytes`);
    if (this.#total !== undefined && this.#total !== Number(total)) {
      throw this.#changed(`it had ${this.#total} bytes, and has ${total} now`);
    }
    const tag = headers.get('etag') ?? undefined;
    if (this.#tag !== undefined && tag !== undefined && tag !== this.#tag) throw this.#changed('its tag is another');
    this.#total = Number(total);
    return until - begin;
  }

  /** @throws PassingFault: it ended early, or broke off */
  async #take({ body }: Response, into: Uint8Array, onBytes: (count: number) => void): Promise<void> {
    let got = 0;
    const reader = body?.getReader();
    try {
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
        if (got + part.value.length > into.length) throw this.#wrong('the answer has more bytes than it should');
        into.set(part.value, got);
        got += part.value.length;
        onBytes(part.value.length);
      }
    } finally {
      // Where all is done this does nothing.
      await reader?.cancel().catch(() => {});
    }
    if (got < into.length) throw new PassingFault(`the answer ended after ${got} of ${into.length} bytes`);
  }

  #wrong(what: string): TransfusionError {
    return new TransfusionError({
      code: 'DATA_SOURCE_ANSWER',
      message: `${this.#url}: ${what}`,
      fix: 'use a server that answers requests for ranges as HTTP says (RFC 9110)',
    });
  }

  #changed(what: string): TransfusionError {
    return new TransfusionError({
      code: 'DATA_SOURCE_CHANGED',
      message: `${this.#url}: the file was replaced while it was read: ${what}`,
      fix: 'start again',
    });
  }
}

function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
