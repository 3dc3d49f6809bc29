/** @file Serves a script and a page that loads it: cross-origin isolated below /isolated/, as usual below /plain/. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script src="page.js"></script>`;
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface PageServer {
  /** Address of the page. */
  url(kind: 'isolated' | 'plain'): string;
  close(): Promise<void>;
}

/** On a free port of the loopback interface. */
export async function servePage(script: string): Promise<PageServer> {
  const files: Record<string, { type: string; content: string }> = {
    '': { type: 'text/html; charset=utf-8', content: PAGE },
    'page.js': { type: 'text/javascript; charset=utf-8', content: script },
  };
  const server = createServer(({ url = '' }, response) => {
    const [, kind, name] = /^\/(isolated|plain)\/(.*)$/.exec(url) ?? [];
    const file = files[name];
    response.writeHead(file ? 200 : 404, {
      'Content-Type': file?.type ?? 'text/plain',
      ...(kind === 'isolated' ? ISOLATED : {}),
    });
    response.end(file?.content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (kind) => `http://127.0.0.1:${port}/${kind}/`,
    close: () => new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  };
}
