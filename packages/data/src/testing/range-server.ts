/** @file A server of files on the loopback interface that answers requests for ranges, and fails as often as it is told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a request goes wrong: a status; a body that ends early; one that is cut off with its connection. */
export type Fault = number | 'short' | 'cut';

export interface RangeRequest {
  path: string;
  /** Bytes [begin, end). */
  begin: number;
  end: number;
  ifRange: string | undefined;
  fault: Fault | undefined;
}

/** Every tenth request fails, in one way after the other. */
export function oneInTen(): (request: number) => Fault | undefined {
  const faults: Fault[] = [500, 'cut', 'short', 503];
  return (request) => (request % 10 === 9 ? faults[Math.floor(request / 10) % faults.length] : undefined);
}

export class RangeServer {
  readonly requests: RangeRequest[] = [];
  /** By the number of the request. */
  fault: (request: number) => Fault | undefined = () => undefined;
  /** Takes over an answer: true where it has. */
  takeOver: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  readonly #server: Server;
  readonly #files: Map<string, Uint8Array>;

  private constructor(files: Map<string, Uint8Array>) {
    this.#files = files;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** @param files by path, without the first `/`; may be changed */
  static async open(files: Map<string, Uint8Array>): Promise<RangeServer> {
    const server = new RangeServer(files);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${path}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.takeOver(request, response)) return;
    const path = (request.url ?? '').slice(1);
    const file = this.#files.get(path);
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (!file || first === undefined) {
      response.writeHead(file ? 200 : 404).end(file);
      return;
    }
    const [begin, end] = [Number(first), Math.min(Number(last) + 1, file.length)];
    const fault = this.fault(this.requests.length);
    this.requests.push({ path, begin, end, ifRange: request.headers['if-range']?.toString(), fault });
    if (typeof fault === 'number') {
      response.writeHead(fault).end();
      return;
    }
    if (begin >= file.length) {
      response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
      return;
    }
    const body = file.subarray(begin, end);
    const headers = { 'content-range': `bytes ${begin}-${end - 1}/${file.length}`, etag: `"${file.length}"` };
    const some = body.subarray(0, Math.ceil(body.length / 2));
    if (fault === 'short') response.writeHead(206, headers).end(body.length === 1 ? undefined : some);
    else if (fault === 'cut') {
      response.writeHead(206, { ...headers, 'content-length': body.length });
      response.write(body.length === 1 ? new Uint8Array(0) : some, () => response.destroy());
    } else response.writeHead(206, { ...headers, 'content-length': body.length }).end(body);
  }
}
