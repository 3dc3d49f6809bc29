/** @file Serves a folder of files on the loopback interface, with the two headers by which a page may have threads. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream';

const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.zip': 'application/zip',
  '.wasm': 'application/wasm',
};

/**
 * @param {string} folder
 * @param {{ port?: number, isolated?: boolean }} options `port`: 0, the default, is any free one; `isolated`: whether the headers
 *   are set, default true
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serveFolder(folder, { port = 0, isolated = true } = {}) {
  const server = createServer((request, response) => {
    answer(folder, request, response, isolated ? ISOLATED : {}).catch(() => response.destroy());
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(folder, request, response, headers) {
  const path = fileOf(folder, request.url ?? '/');
  const found = path && (await stat(path).catch(() => undefined));
  if (!found?.isFile()) {
    response.writeHead(404, { 'Content-Type': 'text/plain', ...headers });
    response.end('there is no such file');
    return;
  }
  const type = TYPES[extname(path)] ?? 'application/octet-stream';
  const cache = 'no-cache';
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': found.size, 'Cache-Control': cache, ...headers });
  if (request.method === 'HEAD') response.end();
  else pipeline(createReadStream(path), response, () => {});
}

/** The file of an address, or undefined where it leads out of the folder. */
function fileOf(folder, url) {
  let path;
  try {
    path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
  } catch {
    return undefined;
  }
  const file = normalize(join(folder, path.endsWith('/') ? `${path}index.html` : path));
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep) && !path.includes('\0') ? file : undefined;
}
