/** @file Servers of files on the loopback interface, for tests: good ones, and those that a handler makes bad. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Files = Readonly<Record<string, Uint8Array>>;

export interface FileServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** "GET model.safetensors 0-65535", in their order. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** On a free port. */
export async function serve(listener: RequestListener): Promise<FileServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const range = request.headers.range?.replace('bytes=', '');
    requests.push([request.method, fileOf(request), ...(range ? [range] : [])].join(' '));
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/models/tiny`,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
    },
  };
}

/** The name of the file that a request is for. */
export function fileOf(request: IncomingMessage): string {
  return decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname.replace('/models/tiny/', ''));
}

/** What a request is for, as its server reads it: bytes [begin, end), of a file of so many. */
export function rangeOf(request: IncomingMessage, size: number): { begin: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (first === undefined) return undefined;
  return { begin: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

/** A server that does as it should; with `ranges: false`, one that sends whole files only, as small ones do. */
export function fileListener(files: Files, { ranges = true }: { ranges?: boolean } = {}): RequestListener {
  return (request, response) => {
    const file = Object.hasOwn(files, fileOf(request)) ? files[fileOf(request)] : undefined;
    if (!file) return end(response, 404);
    const range = ranges ? rangeOf(request, file.length) : undefined;
    if (range && range.begin >= file.length) return end(response, 416, { 'Content-Range': `bytes */${file.length}` });
    const body = range ? file.subarray(range.begin, range.end) : file;
    const headers = { 'Content-Length': body.length, ...(range ? contentRange(range, file.length) : {}) };
    end(response, range ? 206 : 200, headers, request.method === 'HEAD' ? undefined : body);
  };
}

export function contentRange({ begin, end }: { begin: number; end: number }, total: number) {
  return { 'Content-Range': `bytes ${begin}-${end - 1}/${total}` };
}

export function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number> = {},
  body?: Uint8Array | string,
): void {
  response.writeHead(status, headers);
  response.end(body);
}
