/** @file Fetches one file: from where it broke off, never more than was announced, and only if its hash is right. */
import { contentLength, contentRange, PassingFault } from '@transfusion/checkpoint';
import { answerError, discard, type HubClient, type Wanted } from './client.js';
import { HubError } from './errors.js';
import type { HubFile } from './tree.js';

/** After so many bytes a connection that breaks does not count as one more try in vain. */
const PROGRESS_BYTES = 2 ** 20;

/** A file that is not whole yet; it may have the bytes of an earlier try. */
export interface PartialFile {
  /** Bytes that are there. */
  readonly length: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Drops what is there. */
  restart(): Promise<void>;
  /** Of `prefix` and what is there, in hexadecimal. */
  hash(algorithm: HashAlgorithm, prefix: Uint8Array): Promise<string>;
}

export type HashAlgorithm = 'SHA-256' | 'SHA-1';

export interface DownloadOptions {
  file: HubFile;
  partial: PartialFile;
  wanted: Wanted & { path: string };
  /** Told of bytes that came, and, below 0, of those that are dropped. */
  onBytes?: (count: number) => void;
}

/** How a file's hash is made: git's SHA-1 has the size before the contents. */
export function hashOf(file: HubFile, hash: PartialFile['hash']): Promise<string> {
  if (file.hash.length === 64) return hash('SHA-256', new Uint8Array(0));
  return hash('SHA-1', new TextEncoder().encode(`blob ${file.size}\0`));
}

/**
 * Completes `partial`. Bytes of an earlier try that turn out to be wrong are fetched again, once.
 *
 * @throws HubError HUB_HASH, HUB_ANSWER, HUB_NETWORK, HUB_ACCESS, HUB_FILE; what `partial` throws; the signal's reason
 */
export async function download(client: HubClient, options: DownloadOptions): Promise<void> {
  const { file, partial, wanted, onBytes = () => {} } = options;
  const transfer = new Transfer(client, { ...options, onBytes });
  for (let isKept = partial.length > 0; ; isKept = false) {
    onBytes(0);
    await client.persist(transfer.where, () => transfer.fetchRest());
    const found = await hashOf(file, (...of) => partial.hash(...of));
    if (found === file.hash) return;
    await transfer.restart();
    if (!isKept) throw otherHash(`${wanted.model}/${wanted.path}`, found, file.hash);
  }
}

class Transfer {
  readonly where: string;
  readonly #client: HubClient;
  readonly #options: Required<DownloadOptions>;
  readonly #url: URL;
  /** The tag of what is there, of the server that it came from. */
  #tag: string | undefined;

  constructor(client: HubClient, options: Required<DownloadOptions>) {
    const { model, revision, path } = options.wanted;
    this.where = `${model}/${path}`;
    this.#client = client;
    this.#options = options;
    const name = path.split('/').map(encodeURIComponent).join('/');
    this.#url = client.url(`${model}/resolve/${revision}/${name}`);
  }

  async restart(): Promise<void> {
    const { partial, onBytes } = this.#options;
    onBytes(-partial.length);
    await partial.restart();
    this.#tag = undefined;
  }

  /** What is missing. @throws PassingFault: not all came */
  async fetchRest(): Promise<void> {
    const { file, partial, wanted } = this.#options;
    if (partial.length > file.size) await this.restart();
    const begin = partial.length;
    if (begin === file.size) return;
    const same: Record<string, string> = begin > 0 && this.#tag ? { 'if-range': this.#tag } : {};
    const { response, told } = await this.#client.get(this.#url, { range: `bytes=${begin}-`, ...same });
    if (response.status === 416 && begin > 0) {
      discard(response);
      await this.restart();
      throw new PassingFault(`the server has no bytes from ${begin} on`);
    }
    if (!response.ok) throw this.#client.statusError(response, wanted);
    try {
      this.#checkTold(told);
      await this.#checkPart(response, begin);
    } catch (error) {
      discard(response);
      throw error;
    }
    await this.#take(response);
  }

  /** That the hub still means the file that it listed. */
  #checkTold(told: Headers): void {
    const { file } = this.#options;
    const [, hash] = /^"?([0-9a-f]{40}|[0-9a-f]{64})"?$/.exec(told.get('x-linked-etag') ?? '') ?? [];
    const size = told.get('x-linked-size');
    if (hash !== undefined && hash !== file.hash)
      throw this.#wrong(`was listed with hash ${file.hash}, now has ${hash}`);
    if (size !== null && Number(size) !== file.size) {
      throw this.#wrong(`was listed with ${file.size} bytes, now has ${size}`);
    }
  }

  /** That an answer goes on where the last one ended; one that begins anew is taken so. */
  async #checkPart(response: Response, begin: number): Promise<void> {
    const { file, partial } = this.#options;
    const tag = strongTag(response);
    const isOther = begin > 0 && this.#tag !== undefined && tag !== undefined && tag !== this.#tag;
    if (response.status === 206) {
      const range = contentRange(response);
      if (range && range.total !== file.size)
        throw this.#wrong(`has ${range.total} bytes, ${file.size} were announced`);
      if (range && range.begin !== begin) throw this.#wrong(`is sent from byte ${range.begin} on, asked for ${begin}`);
      if (isOther) {
        await this.restart();
        throw new PassingFault('the file was changed while it was fetched');
      }
    } else if (begin > 0) await this.restart();
    const length = contentLength(response);
    const rest = file.size - partial.length;
    if (length !== undefined && length !== rest)
      throw this.#wrong(`is sent as ${length} bytes, ${rest} were announced`);
    this.#tag = tag;
  }

  async #take(response: Response): Promise<void> {
    const { file, partial, onBytes } = this.#options;
    const begin = partial.length;
    const broken = (message: string, cause?: unknown) =>
      new PassingFault(message, { cause, hasProgressed: partial.length - begin >= PROGRESS_BYTES });
    try {
      for await (const piece of this.#client.pieces(response)) {
        if (partial.length + piece.length > file.size)
          throw this.#wrong(`has more than the ${file.size} bytes announced`);
        await partial.append(piece);
        onBytes(piece.length);
      }
    } catch (error) {
      throw error instanceof PassingFault ? broken(error.message, error) : error;
    }
    if (partial.length < file.size) {
      throw broken(`the connection broke off after ${partial.length} of ${file.size} bytes`);
    }
  }

  #wrong(what: string): HubError {
    return answerError(this.where, what);
  }
}

/** Weak tags are equal for files that are not, byte by byte. */
function strongTag({ headers }: Response): string | undefined {
  const tag = headers.get('etag') ?? 'W/';
  return tag.startsWith('W/') ? undefined : tag;
}

export function otherHash(where: string, found: string, expected: string): HubError {
  return new HubError({
    code: 'HUB_HASH',
    message: `${where} is not the file that was published: its hash is ${found}, expected ${expected}`,
    fix: 'fetch it again; if it stays so, a proxy or mirror in between changes it, or somebody has: do not use it',
  });
}
