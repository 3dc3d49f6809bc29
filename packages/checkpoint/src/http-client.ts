/** @file Requests for files that are made again when the network fails, and what their answers mean. */
import { CheckpointError } from './errors.js';

/** Answers of a server that has trouble for the moment. */
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];
const FIRST_DELAY_MS = 250;
/** No server is waited for longer than this at once. */
const MAX_DELAY_MS = 60_000;

export interface HttpOptions {
  /** Sent with every request, such as `authorization`. */
  headers?: Record<string, string>;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch;
  /** Ends all requests; they then throw its reason. */
  signal?: AbortSignal;
  /** How often a request is made again after a fault of the network, or an answer such as 503; default 3. */
  retries?: number;
  /** How long nothing may come before a connection counts as broken; default 60. */
  idleSeconds?: number;
}

/** What may be over when it is tried again. */
export class PassingFault extends Error {
  /** How long the server asks to be left alone. */
  readonly waitMs: number;
  /** Whether much was done before it, so that it does not count as one more try in vain. */
  readonly hasProgressed: boolean;

  constructor(message: string, options: ErrorOptions & { waitMs?: number; hasProgressed?: boolean } = {}) {
    super(message, options);
    this.waitMs = options.waitMs ?? 0;
    this.hasProgressed = options.hasProgressed ?? false;
  }
}

/** Bytes [begin, end) of a file; without `end`, to its end. */
export interface ByteRange {
  begin: number;
  end?: number;
}

export class HttpClient {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /**
   * Calls `action`, again a little later if it throws a `PassingFault`.
   *
   * @param where names the file in errors
   * @param giveUp the error of the last fault
   * @throws CheckpointError CHECKPOINT_READ_FAILED, or what `giveUp` makes; the signal's reason; what `action` throws
   */
  async persist<T>(
    where: string,
    action: () => Promise<T>,
    giveUp: (where: string, fault: PassingFault) => Error = networkError,
  ): Promise<T> {
    const { retries = 3, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      let wait: number;
      signal?.throwIfAborted();
      try {
        return await action();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingFault)) throw error;
        if (error.hasProgressed) attempt = 0;
        if (attempt >= retries) throw giveUp(where, error);
        wait = Math.min(Math.max(FIRST_DELAY_MS * 2 ** attempt, error.waitMs), MAX_DELAY_MS);
      }
      await delay(wait, signal);
    }
  }

  /**
   * Asks for a part of a file, never compressed: a request for a part says so. A server that gives no parts answers with
   * the whole file.
   *
   * @throws PassingFault: there is no answer
   */
  async get(url: URL, { begin, end }: ByteRange): Promise<Response> {
    return this.request(url, { headers: { range: `bytes=${begin}-${end === undefined ? '' : end - 1}` } });
  }

  /** The length that a server tells of a file; undefined: it tells none. @throws PassingFault */
  async length(url: URL): Promise<number | undefined> {
    const response = await this.request(url, { method: 'HEAD' });
    return response.ok ? contentLength(response) : undefined;
  }

  /** Pieces of an answer's body. Left early, the rest is not fetched. @throws PassingFault: the connection broke off */
  async *pieces(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await this.#inTime(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** An answer, whatever its status. @param init its headers are sent beside those of the options @throws PassingFault: there is none */
  async request(
    url: URL,
    init: { method?: 'GET' | 'HEAD'; headers?: Record<string, string>; redirect?: RequestRedirect } = {},
  ): Promise<Response> {
    const { fetch = globalThis.fetch, headers, signal } = this.#options;
    const idle = new AbortController();
    const signals = [idle.signal, ...(signal ? [signal] : [])];
    const answer = fetch(url, {
      ...init,
      headers: { ...headers, ...init.headers },
      signal: AbortSignal.any(signals),
    });
    return this.#inTime(answer, () => idle.abort());
  }

  /**
   * What `pending` gives, if it does in time. It ends with the signal: not every engine ends the read of a body then.
   *
   * @throws PassingFault: it fails, or takes longer
   */
  async #inTime<T>(pending: Promise<T>, stop = () => {}): Promise<T> {
    const { idleSeconds = 60, signal } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort = () => {};
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came for ${idleSeconds} s`)), 1000 * idleSeconds);
      onAbort = () => reject(signal?.reason);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort);
    });
    try {
      return await Promise.race([pending, tooLate]);
    } catch (error) {
      stop();
      throw new PassingFault(reasons(error), { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** Ends early with the signal. */
function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
  });
}

/** The length of a body that is sent as it is. */
export function contentLength({ headers }: Response): number | undefined {
  const text = headers.get('content-length');
  const isEncoded = !['identity', null].includes(headers.get('content-encoding'));
  return text === null || isEncoded || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
}

/** `Content-Range`: bytes [begin, end) of `total`; undefined where a server tells none, or another origin's may not be seen. */
export function contentRange({ headers }: Response): { begin: number; end: number; total: number } | undefined {
  const [, first, last, total] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range') ?? '') ?? [];
  return first === undefined ? undefined : { begin: Number(first), end: Number(last) + 1, total: Number(total) };
}

/** What an answer means that has no file. @returns PassingFault, or CheckpointError CHECKPOINT_READ_FAILED */
export function statusError(where: string, response: Response): Error {
  const passing = passingFault(response);
  if (passing) return passing;
  const { status } = response;
  const answer = answerOf(response);
  return new CheckpointError({
    code: 'CHECKPOINT_READ_FAILED',
    message: `cannot read ${where}: ${answer}`,
    fix: STATUS_FIXES[status] ?? 'check the address in a browser',
  });
}

/** Of an answer of a server that has trouble for the moment; it may say for how long (`Retry-After`). */
export function passingFault(response: Response): PassingFault | undefined {
  if (!PASSING_STATUSES.includes(response.status)) return undefined;
  return new PassingFault(answerOf(response), { waitMs: retryAfter(response) });
}

function answerOf({ status, statusText }: Response): string {
  return `the server answers ${status}${statusText ? ` ${statusText}` : ''}`;
}

/** `Retry-After` in seconds, or a date; else when a quota is renewed: `RateLimit: "api";r=0;t=55`, as Hugging Face answers. */
function retryAfter({ headers, status }: Response): number {
  const text = headers.get('retry-after')?.trim() ?? '';
  const [, renewed] = /;\s*t=(\d{1,9})/.exec((status === 429 && headers.get('ratelimit')) || '') ?? [];
  const seconds = /^\d{1,9}$/.test(text) ? text : text === '' ? renewed : undefined;
  const wait = seconds === undefined ? Date.parse(text) - Date.now() : 1000 * Number(seconds);
  return Math.max(0, wait || 0);
}

const STATUS_FIXES: Record<number, string> = {
  401: "say who you are: give headers, such as { authorization: 'Bearer …' }; Hugging Face answers so too where there is no such model",
  403: "access is denied: accept the model's terms on its page, and give headers, such as { authorization: 'Bearer …' }",
  407: 'a proxy in between wants a password: set it up',
  451: 'the file is blocked for legal reasons: take it from elsewhere',
};

function networkError(where: string, fault: PassingFault): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_READ_FAILED',
    message: `cannot read ${where}: ${fault.message}`,
    fix: 'check address and connection, then try again; to a page of another origin its server must allow it (Access-Control-Allow-Origin)',
    cause: fault.cause,
  });
}

/** "fetch failed: connect ECONNREFUSED 127.0.0.1:1" */
function reasons(error: unknown): string {
  const { message, code, cause } = Object(error) as { message?: unknown; code?: unknown; cause?: unknown };
  const own = String(message || code || error);
  return cause === undefined || cause === null ? own : `${own}: ${reasons(cause)}`;
}
