/** @file The outside of a PNG file: header and chunks, checked before anything of the declared size is allocated. */
import { reason, TransfusionError } from '@transfusion/core';
import { Unzlib } from 'fflate';
import { crc32 } from './crc32.js';
import { describeFormat } from './image-format.js';
import { checkImageSize } from './image-limits.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** PNG colour type -> channels. */
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
/** The chunks that decide about pixels. */
const PIXEL_CHUNKS = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);
/** The chunks that say how to show them: turned, or in another space of colours. */
const DISPLAY_CHUNKS = new Set(['eXIf', 'iCCP']);
/** The last chunk: no data, type, checksum. */
const END = Uint8Array.of(0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82);

export interface PngLimits {
  /** Most pixels along one side; default 32,768. */
  maxSide?: number;
  /** Most pixels in all; default 100 million. */
  maxPixels?: number;
}

export function unreadable(where: string, why: string, fix?: string): TransfusionError {
  return new TransfusionError({
    code: 'IMAGE_UNREADABLE',
    message: `${where}: ${why}`,
    fix: fix ?? 'give an intact PNG file',
  });
}

/** Whether the file begins as a PNG file does. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

export interface PngHeader {
  width: number;
  height: number;
  channels: number;
  depth: number;
  interlaced: boolean;
  /** Samples are positions in a palette. */
  indexed: boolean;
}

function readHeader(data: Uint8Array, where: string, limits: PngLimits): PngHeader {
  if (data.length !== 13) throw unreadable(where, `its header has ${data.length} bytes, expected 13`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const depth = view.getUint8(8);
  const colorType = view.getUint8(9);
  const interlace = view.getUint8(12);
  if (width === 0 || height === 0) throw unreadable(where, `its header says ${width} x ${height} pixels`);
  checkImageSize(where, { width, height }, limits.maxSide, limits.maxPixels);
  if (!DEPTHS[colorType]?.includes(depth)) {
    throw unreadable(where, `its header says colour type ${colorType} with ${depth} bits, which PNG does not have`);
  }
  if (interlace > 1) throw unreadable(where, `its header says interlace method ${interlace}, expected 0 or 1`);
  const indexed = colorType === 3;
  return { width, height, depth, channels: CHANNELS[colorType], interlaced: interlace === 1, indexed };
}

/** Bytes of the image data once inflated: a filter byte and the packed samples for each line of each pass. */
function inflatedLength({ width, height, channels, depth, interlaced }: PngHeader): number {
  const lines = (w: number, h: number) => (w === 0 ? 0 : h * (1 + Math.ceil((w * channels * depth) / 8)));
  if (!interlaced) return lines(width, height);
  // Adam7: [x, y, xStep, yStep] of each pass (PNG specification, section 8.2).
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ];
  return passes.reduce((sum, [x, y, xStep, yStep]) => {
    return sum + lines(Math.ceil(Math.max(0, width - x) / xStep), Math.ceil(Math.max(0, height - y) / yStep));
  }, 0);
}

/** Inflates the image data piece by piece, keeping nothing, and throws where it is not exactly as long as declared. */
function checkInflated(parts: Uint8Array[], expected: number, where: string): void {
  let inflated = 0;
  const inflator = new Unzlib((piece) => {
    inflated += piece.length;
    if (inflated > expected)
      throw unreadable(where, `its image data is longer than the ${expected} bytes its header says`);
  });
  const pieceLength = 16_384;
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += pieceLength) inflator.push(part.subarray(at, at + pieceLength));
    }
    inflator.push(new Uint8Array(0), true);
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw unreadable(where, `its image data is damaged (${reason(error)})`);
  }
  if (inflated < expected) {
    throw unreadable(where, `its image data ends after ${inflated} of ${expected} bytes`);
  }
}

/** A PNG file that passed the checks. */
export interface CheckedPng {
  header: PngHeader;
  /** The chunks that decide about the pixels. Of an animation they are the still image. */
  pixels: Uint8Array;
  /** These, and how to show them: orientation and colour profile. */
  display: Uint8Array;
}

/**
 * Checks a PNG file from the outside. Text, animation frames and the like are passed over; the end chunk may be missing.
 *
 * @throws TransfusionError IMAGE_UNREADABLE, IMAGE_TOO_LARGE
 */
export function checkPng(bytes: Uint8Array, where: string, limits: PngLimits = {}): CheckedPng {
  if (bytes.length === 0) throw unreadable(where, 'it is empty (0 bytes)');
  if (!isPng(bytes)) throw unreadable(where, `it is ${describeFormat(bytes) ?? 'not a PNG file'}`);
  const chunks: Chunk[] = [];
  let header: PngHeader | undefined;
  for (const chunk of readChunks(bytes, where)) {
    const { type, data } = chunk;
    if (header === undefined) {
      if (type !== 'IHDR') throw unreadable(where, `its first chunk is ${JSON.stringify(type)}, expected "IHDR"`);
      header = readHeader(data, where, limits);
    } else if (type === 'IHDR') {
      throw unreadable(where, 'it has two headers');
    }
    chunks.push(chunk);
  }
  const imageData = chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data);
  if (header === undefined || imageData.length === 0) throw unreadable(where, 'it has no image data');
  if (header.indexed) checkPalette(header, chunks, where);
  checkInflated(imageData, inflatedLength(header), where);
  const file = (isKept: (type: string) => boolean) =>
    concatenate([bytes.subarray(0, 8), ...chunks.filter(({ type }) => isKept(type)).map(({ whole }) => whole), END]);
  return {
    header,
    pixels: file((type) => PIXEL_CHUNKS.has(type)),
    display: file((type) => PIXEL_CHUNKS.has(type) || DISPLAY_CHUNKS.has(type)),
  };
}

/** libpng takes such a palette for opaque, other readers do not. */
function checkPalette({ depth }: PngHeader, chunks: Chunk[], where: string): void {
  const lengthOf = (kind: string) => chunks.find(({ type }) => type === kind)?.data.length;
  const palette = lengthOf('PLTE');
  if (palette === undefined) throw unreadable(where, 'its pixels name colors of a palette, which it lacks');
  const colours = Math.min(2 ** depth, Math.floor(palette / 3));
  const alphas = lengthOf('tRNS') ?? 0;
  if (alphas > colours) throw unreadable(where, `it is damaged: ${alphas} transparencies for a palette of ${colours}`);
}

interface Chunk {
  type: string;
  data: Uint8Array;
  /** With length, type and checksum. */
  whole: Uint8Array;
}

/**
 * The chunks before the end chunk. What decides about pixels needs its right checksum. A file may end once it had image data:
 * whether that is all of it shows when it is inflated.
 */
function* readChunks(bytes: Uint8Array, where: string): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hasImageData = false;
  for (let offset = 8; ; ) {
    if (offset + 12 > bytes.length) {
      if (hasImageData) return;
      throw unreadable(where, `it is truncated after ${bytes.length} bytes`);
    }
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    const end = offset + 12 + length;
    if (end > bytes.length) {
      if (hasImageData && type !== 'IDAT') return;
      throw unreadable(where, `it is truncated: chunk ${JSON.stringify(type)} ends at byte ${end} of ${bytes.length}`);
    }
    if (PIXEL_CHUNKS.has(type) && crc32(bytes.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw unreadable(where, `it is damaged: the checksum of its chunk ${JSON.stringify(type)} is wrong`);
    }
    if (type === 'IEND') return;
    hasImageData ||= type === 'IDAT';
    yield { type, data: bytes.subarray(offset + 8, end - 4), whole: bytes.subarray(offset, end) };
    offset = end;
  }
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
