/** @file Texts in PNG files: what a picture is, told beside its pixels (PNG specification, section 11.3.3). */
import { reason, TransfusionError } from '@transfusion/core';
import { Unzlib } from 'fflate';
import { crc32 } from './crc32.js';
import { isPng, unreadable } from './png-chunks.js';

/** Most bytes of one text, inflated: what is longer is no description. */
const MOST_BYTES = 2 ** 20;
/** Most texts of a file that are read. */
const MOST_TEXTS = 1000;
/** Signature, and the header chunk with length, type and checksum. */
const HEADER_END = 8 + 25;

/**
 * A PNG file with texts, as iTXt chunks behind its header.
 *
 * @param texts by keyword: 1 to 79 Latin-1 characters, no space at the ends and no two together; texts without NUL
 * @throws TransfusionError DATA_PNG_TEXT
 */
export function addPngTexts(file: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text));
  const whole = new Uint8Array(file.length + chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  whole.set(file.subarray(0, HEADER_END));
  let at = HEADER_END;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  whole.set(file.subarray(HEADER_END), at);
  return whole;
}

function textChunk(keyword: string, text: string): Uint8Array {
  const isLatin = [...keyword].every((letter) => /[ -~\u00a1-\u00ff]/.test(letter));
  if (!isLatin || keyword.length > 79 || keyword === '' || keyword !== keyword.trim() || keyword.includes('  ')) {
    throw textError(
      `${JSON.stringify(keyword)} is no keyword of a PNG file`,
      'use 1 to 79 letters, digits and single spaces',
    );
  }
  const encoded = new TextEncoder().encode(text);
  if (text.includes('\0')) {
    throw textError(`the text of ${JSON.stringify(keyword)} has a NUL character`, 'take it out, or write JSON');
  }
  if (encoded.length > MOST_BYTES) {
    throw textError(
      `the text of ${JSON.stringify(keyword)} has ${encoded.length} bytes, the most is ${MOST_BYTES}`,
      'shorten it',
    );
  }
  // Keyword, NUL, not compressed (2 bytes), no language, no translated keyword.
  const data = [...latinBytes(`iTXt${keyword}\0\0\0\0\0`)];
  const chunk = new Uint8Array(4 + data.length + encoded.length + 4);
  chunk.set(data, 4);
  chunk.set(encoded, 4 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, chunk.length - 12);
  view.setUint32(chunk.length - 4, crc32(chunk.subarray(4, -4)));
  return chunk;
}

/**
 * The texts of a PNG file by keyword: iTXt, also compressed, tEXt and zTXt, wherever they stand; of several with one keyword the
 * first. Pixels are not looked at.
 *
 * @param where names the file in errors
 * @throws TransfusionError IMAGE_UNREADABLE: no PNG, truncated, a text with a wrong checksum, that is no text, or of more
 *   than a megabyte, which is told before it is inflated
 */
export function readPngTexts(bytes: Uint8Array, where = 'image'): Map<string, string> {
  if (!isPng(bytes)) throw unreadable(where, bytes.length === 0 ? 'it is empty (0 bytes)' : 'it is not a PNG file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts = new Map<string, string>();
  for (let offset = 8; offset + 12 <= bytes.length; ) {
    const type = latin(bytes.subarray(offset + 4, offset + 8));
    const end = offset + 12 + view.getUint32(offset);
    if (end > bytes.length) {
      throw unreadable(where, `it is truncated: chunk ${JSON.stringify(type)} ends at byte ${end} of ${bytes.length}`);
    }
    if (type === 'IEND') break;
    if (Object.hasOwn(READERS, type)) {
      if (crc32(bytes.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4)) {
        throw unreadable(where, `it is damaged: the checksum of its chunk ${JSON.stringify(type)} is wrong`);
      }
      const [keyword, text] = READERS[type](bytes.subarray(offset + 8, end - 4), where);
      if (!texts.has(keyword)) texts.set(keyword, text);
      if (texts.size > MOST_TEXTS) throw unreadable(where, `it has more than ${MOST_TEXTS} texts`);
    }
    offset = end;
  }
  return texts;
}

const READERS: Record<string, (data: Uint8Array, where: string) => [keyword: string, text: string]> = {
  tEXt(data, where) {
    const [keyword, text] = splitAtNul(data, 'tEXt', where);
    return [latin(keyword), latin(checkLength(text, where))];
  },
  zTXt(data, where) {
    const [keyword, rest] = splitAtNul(data, 'zTXt', where);
    return [latin(keyword), latin(inflate(rest.subarray(1), where))];
  },
  iTXt(data, where) {
    const [keyword, rest] = splitAtNul(data, 'iTXt', where);
    const [, translated] = splitAtNul(rest.subarray(2), 'iTXt', where);
    const [, text] = splitAtNul(translated, 'iTXt', where);
    const whole = rest[0] === 1 ? inflate(text, where) : checkLength(text, where);
    try {
      // Decoders refuse shared memory.
      return [latin(keyword), new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(whole.slice())];
    } catch {
      throw unreadable(where, 'it has an iTXt chunk that is not UTF-8');
    }
  },
};

function splitAtNul(data: Uint8Array, type: string, where: string): [before: Uint8Array, after: Uint8Array] {
  const at = data.indexOf(0);
  if (at < 0) throw unreadable(where, `it is damaged: its chunk "${type}" is no text`);
  return [data.subarray(0, at), data.subarray(at + 1)];
}

function checkLength(text: Uint8Array, where: string): Uint8Array {
  if (text.length <= MOST_BYTES) return text;
  throw unreadable(where, `it has a text of more than ${MOST_BYTES} bytes`);
}

/** Piece by piece, so that a small file does not become a large text. */
function inflate(compressed: Uint8Array, where: string): Uint8Array {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const inflator = new Unzlib((piece) => {
    length += piece.length;
    if (length > MOST_BYTES) throw unreadable(where, `it has a text of more than ${MOST_BYTES} bytes`);
    pieces.push(piece.slice());
  });
  try {
    const pieceLength = 1024;
    for (let at = 0; at < compressed.length; at += pieceLength) {
      inflator.push(compressed.subarray(at, at + pieceLength), at + pieceLength >= compressed.length);
    }
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw unreadable(where, `it has a compressed text that is damaged (${reason(error)})`);
  }
  const text = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    text.set(piece, at);
    at += piece.length;
  }
  return text;
}

function latin(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function latinBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function textError(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'DATA_PNG_TEXT', message: `encodePng: ${message}`, fix });
}
