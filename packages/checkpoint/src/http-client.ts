/** @file Requests for files that are made again when the network fails, and what their answers mean. */
import { CheckpointError } from './errors.js';

/** Answers of a server that has trouble for the moment. */
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];
const FIRST_DELAY_MS = 250;

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
export class PassingFault extends Error {}

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
   * @throws CheckpointError CHECKPOINT_READ_FAILED; the signal's reason; what `action` throws
   */
  async persist<T>(where: string, action: () => Promise<T>): Promise<T> {
    const { retries = 3, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await action();
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof PassingFault)) throw error;
        if (attempt >= retries) throw networkError(where, error);
      }
      await delay(FIRST_DELAY_MS * 2 ** attempt, signal);
    }
  }

  /**
   * Asks for a part of a file, never compressed: a request for a part says so. A server that gives no parts answers with
   * the whole file.
   *
   * @throws PassingFault: there is no answer
   */
  async get(url: URL, { begin, end }: ByteRange): Promise<Response> {
    return this.#request(url, 'GET', { range: `bytes=${begin}-${end === undefined ? '' : end - 1}` });
  }

  /** The length that a server tells of a file; undefined: it tells none. @throws PassingFault */
  async length(url: URL): Promise<number | undefined> {
    const response = await this.#request(url, 'HEAD', {});
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

  async #request(url: URL, method: string, headers: Record<string, string>): Promise<Response> {
    const { fetch = globalThis.fetch, headers: given, signal } = this.#options;
    const idle = new AbortController();
    const signals = [idle.signal, ...(signal ? [signal] : [])];
    const answer = fetch(url, { method, headers: { ...given, ...headers }, signal: AbortSignal.any(signals) });
    return this.#inTime(answer, () => idle.abort());
  }

  /** What `pending` gives, if it does in time. @throws PassingFault: it fails, or takes longer */
  async #inTime<T>(pending: Promise<T>, stop = () => {}): Promise<T> {
    const { idleSeconds = 60 } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came for ${idleSeconds} s`)), 1000 * idleSeconds);
    });
    try {
      return await Promise.race([pending, tooLate]);
    } catch (error) {
      stop();
      throw new PassingFault(reasons(error), { cause: error });
    } finally {
      clearTimeout(timer);
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
export function statusError(where: string, { status, statusText }: Response): Error {
  const answer = `the server answers ${status}${statusText ? ` ${statusText}` : ''}`;
  if (PASSING_STATUSES.includes(status)) return new PassingFault(answer);
  return new CheckpointError({
    code: 'CHECKPOINT_READ_FAILED',
    message: `cannot read ${where}: ${answer}`,
    fix: STATUS_FIXES[status] ?? 'check the address in a browser',
  });
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
