/** @file The files of a server: in parts where it gives parts, else whole. */
import { CheckpointError } from './errors.js';
import { type Addresses, type FileAddresses, fileAddresses } from './file-addresses.js';
import { checkFileName } from './file-names.js';
import { allocateBytes, checkRange, type FileSource, missingFile } from './file-source.js';
import { webPage } from './foreign-file.js';
import { contentLength, contentRange, HttpClient, type HttpOptions, PassingFault, statusError } from './http-client.js';

/** As much is asked for first: all of most JSON files, and most headers of weights. */
const START_BYTES = 2 ** 16;
/** The most that is taken of a file whose server does not tell its size. */
const MAX_UNTOLD_BYTES = 2 ** 31;
/** Answers that say that there is no such file. */
const GONE = [404, 410];
const FORBIDDEN = 403;
const EMPTY = 416;

export interface UrlSourceOptions extends HttpOptions {
  /** What messages call it; default: the folder's address. */
  name?: string;
}

/** What is known of a file. */
interface RemoteFile {
  size: number;
  /** Its first bytes, all of them of a small file. */
  start: Uint8Array;
  /** Whether the server gives parts of it. */
  inParts: boolean;
  /** A name of this version, where the server has one. */
  etag: string | undefined;
}

/**
 * Files below an address: `new UrlSource('https://huggingface.co/OWNER/MODEL/resolve/main')`, or each at its own, as a
 * bundler places the files of a package: `new UrlSource({ 'config.json': '/assets/config-1f2e.json' })`. Faults of the network are
 * tried again, and what was fetched is kept. A server that gives no parts sends files whole; one of them at a time is kept
 * in memory. A web page in place of a file is none (single-page servers have one under every name).
 */
export class UrlSource implements FileSource {
  readonly name: string;
  readonly #addresses: FileAddresses;
  readonly #http: HttpClient;
  readonly #files = new Map<string, Promise<RemoteFile | undefined>>();
  #whole: { name: string; bytes: Promise<Uint8Array> } | undefined;
  /** Whether the server has given any file: then that another is forbidden tells that it is not there. */
  #hasGiven = false;

  /**
   * @param addresses of the folder, what follows a `?` is sent with every file; or of each file, by its name. In a page they
   *   may be relative
   * @throws CheckpointError CHECKPOINT_ARGUMENT
   */
  constructor(addresses: Addresses, options: UrlSourceOptions = {}) {
    this.#addresses = fileAddresses(addresses, options.name);
    this.#http = new HttpClient(options);
    this.name = this.#addresses.name;
  }

  async has(name: string): Promise<boolean> {
    const file = await this.#file(name);
    return file !== undefined && !isPage(name, file);
  }

  async size(name: string): Promise<number> {
    return (await this.#existing(name)).size;
  }

  async read(name: string, begin: number, target: Uint8Array): Promise<void> {
    const file = await this.#existing(name);
    const end = begin + target.length;
    checkRange(this.#where(name), file.size, begin, target.length);
    if (target.length === 0) return;
    if (end <= file.start.length) target.set(file.start.subarray(begin, end));
    else if (file.inParts) await this.#readPart(name, file, begin, target);
    else target.set((await this.#wholeFile(name, file)).subarray(begin, end));
  }

  async close(): Promise<void> {
    this.#files.clear();
    this.#whole = undefined;
  }

  #where(name: string): string {
    return `${this.name}/${name}`;
  }

  /** Of a file that may be there. */
  #url(name: string): URL {
    return this.#addresses.of(name)!;
  }

  async #existing(name: string): Promise<RemoteFile> {
    const file = await this.#file(name);
    if (!file) throw missingFile(this.#where(name));
    const page = isPage(name, file);
    if (!page) return file;
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${this.#where(name)} is ${page.is}, expected the file`,
      fix: page.fix,
    });
  }

  /** What is known of a file, asked for once; undefined: there is none. */
  async #file(name: string): Promise<RemoteFile | undefined> {
    checkFileName(name);
    if (!this.#addresses.of(name)) return undefined;
    let file = this.#files.get(name);
    if (!file) {
      file = this.#http.persist(this.#where(name), () => this.#look(name));
      this.#files.set(name, file);
      file.catch(() => this.#files.delete(name));
    }
    return file;
  }

  async #look(name: string): Promise<RemoteFile | undefined> {
    const response = await this.#http.get(this.#url(name), { begin: 0, end: START_BYTES });
    const { status } = response;
    const isGone = GONE.includes(status) || (status === FORBIDDEN && this.#hasGiven);
    if (status === EMPTY || isGone || !response.ok) discard(response);
    if (isGone) return undefined;
    if (status === EMPTY) return { size: 0, start: new Uint8Array(0), inParts: false, etag: undefined };
    if (!response.ok) throw statusError(this.#where(name), response);
    const file = await (status === 206 ? this.#lookAtPart(name, response) : this.#lookAtWhole(name, response));
    this.#hasGiven = true;
    return { ...file, etag: strongTag(response) };
  }

  /** Of an answer with the first bytes. */
  async #lookAtPart(name: string, response: Response): Promise<Omit<RemoteFile, 'etag'>> {
    const range = contentRange(response);
    if (range && range.begin !== 0) throw this.#wrongPart(name, 0, range.begin);
    // A server of another origin may not tell a page the range that it has sent.
    const size = range?.total ?? (await this.#http.length(this.#url(name)));
    const start = await this.#readStart(name, response, START_BYTES);
    if (size === undefined && start.length === START_BYTES) return this.#lookAtUntold(name);
    const expected = Math.min(size ?? start.length, START_BYTES);
    if (start.length !== expected) throw brokenOff(start.length, expected);
    return { size: size ?? start.length, start, inParts: true };
  }

  /** Of an answer with the whole file: no more of it is fetched than a part would be. */
  async #lookAtWhole(name: string, response: Response): Promise<Omit<RemoteFile, 'etag'>> {
    const size = contentLength(response);
    if (size === undefined) {
      const start = await this.#readStart(name, response, MAX_UNTOLD_BYTES);
      return { size: start.length, start, inParts: false };
    }
    const start = await this.#readStart(name, response, size, Math.min(size, START_BYTES));
    if (start.length < Math.min(size, START_BYTES)) throw brokenOff(start.length, size);
    return { size, start, inParts: false };
  }

  async #lookAtUntold(name: string): Promise<Omit<RemoteFile, 'etag'>> {
    const response = await this.#http.get(this.#url(name), { begin: 0 });
    if (!response.ok) throw statusError(this.#where(name), response);
    return this.#lookAtWhole(name, response);
  }

  /**
   * A body from its start: all of it, or about `enough` bytes.
   *
   * @param most that it may have
   */
  async #readStart(name: string, response: Response, most: number, enough = Infinity): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.#http.pieces(response)) {
      parts.push(piece);
      length += piece.length;
      if (length > most) throw this.#tooLong(name, most);
      if (length >= enough) break;
    }
    const start = allocateBytes(length, this.#where(name));
    let at = 0;
    for (const part of parts) {
      start.set(part, at);
      at += part.length;
    }
    return start;
  }

  /** Fills `target`; after a fault, what is missing. */
  async #readPart(name: string, file: RemoteFile, begin: number, target: Uint8Array): Promise<void> {
    let at = 0;
    await this.#http.persist(this.#where(name), async () => {
      const range = { begin: begin + at, end: begin + target.length };
      const response = await this.#http.get(this.#url(name), range);
      if (response.status !== 206) {
        discard(response);
        if (!response.ok) throw statusError(this.#where(name), response);
        // It gives parts no longer.
        target.set((await this.#wholeFile(name, file)).subarray(begin, range.end));
        return;
      }
      this.#checkVersion(name, file, response);
      const found = contentRange(response)?.begin ?? range.begin;
      if (found !== range.begin) throw this.#wrongPart(name, range.begin, found);
      for await (const piece of this.#http.pieces(response)) {
        if (at + piece.length > target.length) throw this.#tooLong(name, range.end - range.begin);
        target.set(piece, at);
        at += piece.length;
      }
      if (at < target.length) throw brokenOff(begin + at, range.end);
    });
  }

  #wholeFile(name: string, file: RemoteFile): Promise<Uint8Array> {
    if (file.start.length === file.size) return Promise.resolve(file.start);
    if (this.#whole?.name !== name) {
      const whole = { name, bytes: this.#http.persist(this.#where(name), () => this.#download(name, file)) };
      this.#whole = whole;
      whole.bytes.catch(() => {
        if (this.#whole === whole) this.#whole = undefined;
      });
    }
    return this.#whole.bytes;
  }

  async #download(name: string, file: RemoteFile): Promise<Uint8Array> {
    const response = await this.#http.get(this.#url(name), { begin: 0 });
    if (!response.ok) throw statusError(this.#where(name), response);
    this.#checkVersion(name, file, response);
    const bytes = allocateBytes(file.size, this.#where(name));
    let at = 0;
    for await (const piece of this.#http.pieces(response)) {
      if (at + piece.length > bytes.length) throw this.#tooLong(name, bytes.length);
      bytes.set(piece, at);
      at += piece.length;
    }
    if (at < bytes.length) throw brokenOff(at, bytes.length);
    return bytes;
  }

  /** That an answer is of the file that was looked at. */
  #checkVersion(name: string, file: RemoteFile, response: Response): void {
    const size = response.status === 206 ? contentRange(response)?.total : contentLength(response);
    const etag = strongTag(response);
    const isSame = (size ?? file.size) === file.size && (etag ?? file.etag) === (file.etag ?? etag);
    if (isSame) return;
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${this.#where(name)} was changed while it was read: it had ${file.size} bytes, now ${size ?? 'others'}`,
      fix: 'open the model again',
    });
  }

  #wrongPart(name: string, asked: number, given: number): CheckpointError {
    return this.#wrongAnswer(name, `asked for bytes from ${asked} on, the server sends them from ${given} on`);
  }

  #tooLong(name: string, expected: number): CheckpointError {
    return this.#wrongAnswer(name, `the server sends more than the ${expected} bytes it should`);
  }

  #wrongAnswer(name: string, what: string): CheckpointError {
    return new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${this.#where(name)}: ${what}`,
      fix: 'the server, or a proxy in between, is at fault: take the model from another',
    });
  }
}

/** Fetches no more of an answer. */
function discard({ body }: Response): void {
  body?.cancel().catch(() => {});
}

function brokenOff(end: number, expected: number): PassingFault {
  return new PassingFault(`the connection broke off after ${end} of ${expected} bytes`);
}

function isPage(name: string, file: RemoteFile) {
  return /\.html?$/i.test(name) ? undefined : webPage(file.start);
}

/** Weak tags are equal for files that are not, byte by byte. */
function strongTag({ headers }: Response): string | undefined {
  const tag = headers.get('etag') ?? 'W/';
  return tag.startsWith('W/') ? undefined : tag;
}
