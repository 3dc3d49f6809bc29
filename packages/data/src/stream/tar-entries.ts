/**
 * @file Where the files of a tar archive lie: ustar, with the long names and sizes of pax and GNU tar. Readers of tar streams, modern-tar's
 * too, give contents and no places, and it is places that let a sample be read by itself.
 */
import { TransfusionError } from '@transfusion/core';
import type { ForwardReader } from './byte-source.js';

const BLOCK = 512;
/** Most bytes of a header of names and sizes. */
const MOST_EXTENDED = 2 ** 20;
const MOST_NAME = 4096;

export interface TarEntry {
  name: string;
  /** Of the contents: bytes [begin, end) of the archive. */
  begin: number;
  end: number;
}

/**
 * The regular files of an archive, in order; folders and links are passed over.
 *
 * @throws TransfusionError DATA_SHARD_FORMAT: it is none, damaged, or cut off; what the source throws
 */
export async function* tarEntries(reader: ForwardReader): AsyncGenerator<TarEntry> {
  const { size: total, name: where } = reader.source;
  const wrong = (at: number, what: string) => formatError(where, `at byte ${at}: ${what}`);
  let extended: { path?: string; size?: number } = {};
  for (let at = 0; ; ) {
    if (at + BLOCK > total) throw wrong(at, 'the archive ends without its end mark: it is cut off');
    const header = (await reader.read(at, at + BLOCK)).slice();
    if (header.every((byte) => byte === 0)) return;
    if (!hasChecksum(header)) throw wrong(at, at === 0 ? 'it is no tar archive' : 'a header has a wrong checksum');
    const own = numberOf(header.subarray(124, 136));
    const type = String.fromCharCode(header[156]);
    const isMeta = 'xgLK'.includes(type);
    const size = isMeta ? own : (extended.size ?? own);
    const begin = at + BLOCK;
    if (size === undefined || begin + size > total) {
      throw wrong(at, `a file of ${size ?? 'unreadable many'} bytes is announced, and ${total - begin} are left`);
    }
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
    if (isMeta) {
      if (size > MOST_EXTENDED) throw wrong(begin, `a header of ${size} bytes, the most is ${MOST_EXTENDED}`);
      if (type === 'x') extended = { ...extended, ...paxFields(await reader.read(begin, begin + size)) };
      if (type === 'L') extended = { ...extended, path: textOf(await reader.read(begin, begin + size)) };
      continue;
    }
    const name = extended.path ?? plainName(header);
    extended = {};
    if (name.length > MOST_NAME) throw wrong(begin, `a name of ${name.length} characters, the most is ${MOST_NAME}`);
    if (type === '0' || type === '\0' || type === '7') yield { name, begin, end: begin + size };
  }
}

export function formatError(where: string, what: string, fix?: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_SHARD_FORMAT',
    message: `${where}: ${what}`,
    fix: fix ?? 'fetch or write it anew',
  });
}

/** Whether a block is a tar header: the sum of its bytes, its own field read as spaces. */
export function hasChecksum(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return numberOf(header.subarray(148, 156)) === sum;
}

/** Octal digits or, where the first bit is set, a big-endian number. */
function numberOf(field: Uint8Array): number | undefined {
  if (field[0] & 0x80) {
    const number = field.reduce((sum, byte, i) => sum * 256 + (i === 0 ? byte & 0x7f : byte), 0);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  const digits = textOf(field).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : undefined;
}

function plainName(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = textOf(header.subarray(257, 263)).startsWith('ustar');
  // GNU's own format has other things there, and spaces behind "ustar".
  const prefix = isUstar && header[262] === 0 ? textOf(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** Up to the first NUL. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Records such as `30 path=a/very/long/name.jpg\n`, their own length first. */
function paxFields(bytes: Uint8Array): { path?: string; size?: number } {
  const fields: { path?: string; size?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = space < 0 ? 0 : Number(textOf(bytes.subarray(at, space)));
    if (!(Number.isInteger(length) && length > space - at && at + length <= bytes.length)) return fields;
    const record = textOf(bytes.subarray(space + 1, at + length - 1));
    const value = record.slice(record.indexOf('=') + 1);
    if (record.startsWith('path=')) fields.path = value;
    if (record.startsWith('size=') && /^\d{1,15}$/.test(value)) fields.size = Number(value);
    at += length;
  }
  return fields;
}
