/** @file PNG files made by hand, of kinds that encoders do not make. */
import { zlibSync } from 'fflate';
import { crc32 } from '../image/crc32.js';

export type PngChunk = [type: string, data: Uint8Array];

/** A PNG file from its parts, with right checksums. */
export function pngOf(chunks: PngChunk[]): Uint8Array {
  const pieces: number[] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  for (const [type, data] of chunks) {
    const named = Uint8Array.from([...[...type].map((c) => c.charCodeAt(0)), ...data]);
    pieces.push(...bigEndian(data.length));
    for (const byte of named) pieces.push(byte);
    pieces.push(...bigEndian(crc32(named)));
  }
  return Uint8Array.from(pieces);
}

function bigEndian(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

export function header(width: number, height: number, depth: number, colorType: number, interlace = 0): PngChunk {
  return ['IHDR', Uint8Array.from([...bigEndian(width), ...bigEndian(height), depth, colorType, 0, 0, interlace])];
}

/** Lines, each a filter byte and its samples. */
export const imageData = (bytes: Iterable<number>): PngChunk => ['IDAT', zlibSync(Uint8Array.from(bytes))];
export const end: PngChunk = ['IEND', new Uint8Array(0)];
