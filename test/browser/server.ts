/** @file Serves one script and a page that loads it: cross-origin isolated below /isolated/, as usual below /plain/. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const PAGE = '<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,"><script src="page.js"></script>';
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface PageServer {
  /** Address of a page. */
  url(kind: 'isolated' | 'plain'): string;
  close(): Promise<void>;
}

export async function servePage(script: Buffer): Promise<PageServer> {
  const server = createServer(({ url = '/' }, response) => {
    const isScript = url.endsWith('/page.js');
    const isPage = url === '/isolated/' || url === '/plain/';
    response.writeHead(isScript || isPage ? 200 : 404, {
      'Content-Type': isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8',
      ...(url.startsWith('/isolated/') ? ISOLATED : {}),
    });
    response.end(isScript ? script : isPage ? PAGE : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (kind) => `http://127.0.0.1:${port}/${kind}/`,
    close: () => new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  };
}
