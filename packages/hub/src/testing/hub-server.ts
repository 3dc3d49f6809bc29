/**
 * @file A hub on the loopback interface, for tests: its API, its files, and a CDN at another port that it sends to for large ones. Its
 * answers are those that huggingface.co documents; a `fault` may take over any of them.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Files = Readonly<Record<string, Uint8Array>>;

export interface HubRequest {
  at: 'hub' | 'cdn';
  method: string;
  /** Without the query. */
  path: string;
  range?: string;
  ifRange?: string;
  token?: string;
}

/** Takes over an answer: true where it has. */
export type Fault = (request: HubRequest, response: ServerResponse) => boolean;

/** A fault of every request for which `applies`. */
export function answers(
  answer: (response: ServerResponse, request: HubRequest) => void,
  applies: (request: HubRequest) => boolean = () => true,
): Fault {
  return (request, response) => {
    if (!applies(request)) return false;
    answer(response, request);
    return true;
  };
}

/** Sends the same bytes for as long as somebody takes them. */
export function sendEndlessly(response: ServerResponse, piece: Uint8Array): void {
  response.writeHead(200, { 'Transfer-Encoding': 'chunked' });
  const send = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', send);
  send();
}

interface Repository {
  commits: Map<string, Files>;
  refs: Map<string, string>;
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
export const sha1 = (bytes: Uint8Array | string) => createHash('sha1').update(bytes).digest('hex');
/** The hash of `git hash-object`. */
export const gitHash = (bytes: Uint8Array) => sha1(Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]));
/** What the hub tells of a file as its etag. */
export const etagOf = (name: string, bytes: Uint8Array) => (isLarge(name) ? sha256(bytes) : gitHash(bytes));
const isLarge = (name: string) => name.endsWith('.safetensors');

export class HubServer {
  readonly requests: HubRequest[] = [];
  fault: Fault = () => false;
  /** Files of a page of a list. */
  pageSize = 1000;
  /** What a page may see of answers, and the origins that may see them. */
  cors = false;
  readonly #repositories = new Map<string, Repository>();
  readonly #large = new Map<string, Uint8Array>();
  readonly #servers: Server[] = [];
  #hub = '';
  #cdn = '';

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    server.#hub = await server.#listen('hub');
    server.#cdn = await server.#listen('cdn');
    return server;
  }

  get url(): string {
    return this.#hub;
  }

  get cdn(): string {
    return this.#cdn;
  }

  /** "GET hub /api/models/x/y/revision/main" */
  get log(): string[] {
    return this.requests.map(({ at, method, path, range }) => [method, at, path, ...(range ? [range] : [])].join(' '));
  }

  /** Of files, not of what is told of them. */
  get bodies(): string[] {
    return this.log.filter(
      (line) => !line.includes('/api/') && (line.includes('cdn') || !line.includes('.safetensors')),
    );
  }

  /** A commit, at which a branch is then. */
  commit(name: string, files: Files, branch = 'main'): string {
    const repository = this.#repositories.get(name) ?? { commits: new Map(), refs: new Map() };
    this.#repositories.set(name, repository);
    const commit = sha1(
      Object.entries(files)
        .map(([path, bytes]) => path + sha256(bytes))
        .join(),
    );
    repository.commits.set(commit, files);
    repository.refs.set(branch, commit);
    for (const [path, bytes] of Object.entries(files)) if (isLarge(path)) this.#large.set(sha256(bytes), bytes);
    return commit;
  }

  forget(): void {
    this.requests.length = 0;
    this.fault = () => false;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async #listen(at: HubRequest['at']): Promise<string> {
    const server = createServer((message, response) => {
      const { method = '', headers } = message;
      const path = decodeURIComponent(new URL(message.url ?? '', 'http://x').pathname);
      const optional = {
        ...(headers.range && { range: headers.range.replace('bytes=', '') }),
        ...(headers['if-range'] && { ifRange: String(headers['if-range']) }),
        ...(headers.authorization && { token: headers.authorization }),
      };
      const request: HubRequest = { at, method, path, ...optional };
      if (this.cors) {
        response.setHeader('Access-Control-Allow-Origin', '*');
        response.setHeader('Access-Control-Allow-Headers', 'authorization, range');
        if (method === 'OPTIONS') return void response.writeHead(204).end();
      }
      this.requests.push(request);
      if (this.fault(request, response)) return;
      if (at === 'cdn') this.#answerCdn(request, response);
      else void this.#answerHub(request, response, message);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async #answerHub(request: HubRequest, response: ServerResponse, message: IncomingMessage): Promise<void> {
    const api = /^\/api\/models\/(?<name>.+?)\/(?<verb>revision|tree|paths-info)\/(?<revision>[^/]+)/.exec(
      request.path,
    );
    const file = /^\/(?<name>.+?)\/resolve\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(request.path);
    const { name = '', verb, revision = '', path } = (api ?? file)?.groups ?? {};
    const repository = this.#repositories.get(name);
    if (!repository) return refuse(response, 401, 'RepoNotFound');
    const commit = repository.refs.get(revision) ?? revision;
    const files = repository.commits.get(commit);
    if (!files) return refuse(response, 404, 'RevisionNotFound');
    if (verb === 'revision') return json(response, { _id: '1', id: name, sha: commit });
    if (verb === 'tree') return this.#list(files, response, message);
    if (verb === 'paths-info') {
      const { paths } = JSON.parse(await bodyOf(message)) as { paths: string[] };
      const found = entriesOf(files).filter((entry) => paths.includes(entry.path));
      return json(
        response,
        found.map((entry) => ({ ...entry, lastCommit: { id: commit, title: '', date: '2026-01-01' } })),
      );
    }
    const bytes = files[path ?? ''];
    if (!bytes) return refuse(response, 404, 'EntryNotFound');
    const told = { 'X-Repo-Commit': commit };
    if (!isLarge(path)) return sendFile(request, response, bytes, `"${gitHash(bytes)}"`, told);
    const hash = sha256(bytes);
    const linked = { 'X-Linked-Etag': `"${hash}"`, 'X-Linked-Size': bytes.length };
    response.writeHead(302, { ...told, ...linked, Location: `${this.#cdn}/${hash}?signature=1` });
    response.end();
  }

  #list(files: Files, response: ServerResponse, message: IncomingMessage): void {
    const url = new URL(message.url ?? '', this.#hub);
    const begin = Number(url.searchParams.get('cursor') ?? 0);
    const entries = entriesOf(files);
    url.searchParams.set('cursor', String(begin + this.pageSize));
    const hasNext = begin + this.pageSize < entries.length;
    if (hasNext) response.setHeader('Link', `<${url}>; rel="next"`);
    json(response, entries.slice(begin, begin + this.pageSize));
  }

  #answerCdn(request: HubRequest, response: ServerResponse): void {
    const bytes = this.#large.get(request.path.slice(1));
    if (!bytes) refuse(response, 403, 'AccessDenied');
    else sendFile(request, response, bytes, `"cdn-${sha1(bytes)}"`);
  }
}

/** As the hub lists them: folders, too. */
function entriesOf(files: Files) {
  const folders = new Set(Object.keys(files).flatMap((path) => (path.includes('/') ? [path.split('/')[0]] : [])));
  const oid = (text: string) => sha1(text);
  return [
    ...[...folders].map((path) => ({ type: 'directory', oid: oid(path), size: 0, path })),
    ...Object.entries(files).map(([path, bytes]) => {
      if (!isLarge(path)) return { type: 'file', oid: gitHash(bytes), size: bytes.length, path };
      const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 134 };
      return { type: 'file', oid: oid(lfs.oid), size: bytes.length, lfs, xetHash: sha256(Buffer.from(path)), path };
    }),
  ];
}

/** All of a file, or the part that is asked for. */
export function sendFile(
  { range, ifRange, method }: HubRequest,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
  headers: Record<string, string | number> = {},
): void {
  const [, first, last] = /^(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const isPart = first !== undefined && (ifRange === undefined || ifRange === etag);
  const begin = isPart ? Number(first) : 0;
  const end = isPart && last !== '' ? Math.min(bytes.length, Number(last) + 1) : bytes.length;
  if (isPart && begin >= bytes.length) {
    refuse(response, 416, 'InvalidRange');
    return;
  }
  const part = isPart ? { 'Content-Range': `bytes ${begin}-${end - 1}/${bytes.length}` } : {};
  response.writeHead(isPart ? 206 : 200, { ...headers, ...part, ETag: etag, 'Content-Length': end - begin });
  response.end(method === 'HEAD' ? undefined : bytes.subarray(begin, end));
}

/** Sends as many bytes, then cuts the connection. */
export function cut(response: ServerResponse, bytes: Uint8Array, sent: number, headers: Record<string, string>): void {
  response.writeHead(200, { ...headers, 'Content-Length': bytes.length });
  response.write(bytes.subarray(0, sent), () => setTimeout(() => response.destroy(), 20));
}

export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, 'X-Error-Code': code });
  response.end();
}

export function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of message) text += String(piece);
  return text;
}
