/** @file Where each file of a folder is on the web: below an address, or at one of its own. */
import { CheckpointError } from './errors.js';

/** What `UrlSource` takes: the address of a folder, or that of each file by its name. */
export type Addresses = string | URL | Readonly<Record<string, string | URL>>;

export interface FileAddresses {
  /** Of the folder, for messages. */
  readonly name: string;
  /** Where a file is; undefined: there is none of that name. */
  of(file: string): URL | undefined;
}

/** @throws CheckpointError CHECKPOINT_ARGUMENT */
export function fileAddresses(addresses: Addresses, name?: string): FileAddresses {
  if (typeof addresses === 'string' || addresses instanceof URL) return belowAddress(addresses, name);
  const urls = new Map(Object.entries(addresses).map(([file, address]) => [file, parseFileAddress(address)]));
  return { name: name ?? 'addresses', of: (file) => urls.get(file) };
}

function belowAddress(address: string | URL, name: string | undefined): FileAddresses {
  const base = parseFolderAddress(address);
  return {
    name: name ?? `${base.origin}${base.pathname}`.replace(/\/$/, ''),
    of(file) {
      const url = new URL(base);
      url.pathname += file.split('/').map(encodeURIComponent).join('/');
      return url;
    },
  };
}

function parseFolderAddress(address: string | URL): URL {
  const url = parseAddress(address);
  if (!/^https?:$/.test(url.protocol)) {
    const fix = 'give an address that begins with https://; in Node, FolderSource reads folders of the disk';
    throw addressError(String(address), `begins with ${url.protocol}`, fix);
  }
  if (/\.(json|safetensors)$/i.test(url.pathname)) {
    throw addressError(url.pathname, 'is the address of a file', 'give that of its folder');
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.hash = '';
  return url;
}

/** Bundlers turn small files into `data:`. */
function parseFileAddress(address: string | URL): URL {
  const url = parseAddress(address);
  if (/^(https?|data|blob):$/.test(url.protocol)) return url;
  const fix = 'give addresses that begin with https://; in Node, open a folder, or a package by its name';
  throw addressError(String(address), `begins with ${url.protocol}`, fix);
}

function parseAddress(address: string | URL): URL {
  const page = (globalThis as { location?: { href?: string } }).location?.href;
  let url: URL;
  try {
    url = new URL(address, page);
  } catch (error) {
    throw addressError(String(address), 'is no address', 'give one such as https://example.org/model', error);
  }
  if (!url.username && !url.password) return url;
  throw addressError(url.origin, 'has a name or a password in it', "give headers: { authorization: 'Basic …' }");
}

function addressError(address: string, is: string, fix: string, cause?: unknown): CheckpointError {
  return new CheckpointError({ code: 'CHECKPOINT_ARGUMENT', message: `${address} ${is}`, fix, cause });
}
