/** @file The outside of a PNG file: header and chunks, checked before anything of the declared size is allocated. */
import { TransfusionError } from '@transfusion/tensor';
import { Unzlib } from 'fflate';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** PNG colour type -> channels. */
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
/** The chunks that decide about pixels; text, profiles, animation frames and everything else are left out. */
const PIXEL_CHUNKS = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

export interface PngLimits {
  /** Most pixels along one side; default 16,384. */
  maxSide?: number;
  /** Most pixels in all; default 2^24. */
  maxPixels?: number;
}

export function unreadable(where: string, why: string, fix?: string): TransfusionError {
  return new TransfusionError({
    code: 'IMAGE_UNREADABLE',
    message: `${where}: ${why}`,
    fix: fix ?? 'give an intact PNG file',
  });
}

/** What the first bytes of a file that is no PNG say it is. */
function describeFormat(bytes: Uint8Array): string {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'a JPEG file';
  if (text(0, 4) === 'GIF8') return 'a GIF file';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'a WebP file';
  if (text(0, 2) === 'BM') return 'a BMP file';
  if (/^\s*<(\?xml|svg)/.test(text(0, 64))) return 'an SVG file';
  return 'not a PNG file';
}

interface Header {
  width: number;
  height: number;
  channels: number;
  depth: number;
  interlaced: boolean;
  /** Samples are positions in a palette. */
  indexed: boolean;
}

function readHeader(view: DataView, offset: number, length: number, where: string, limits: PngLimits): Header {
  if (length !== 13) throw unreadable(where, `its header has ${length} bytes, expected 13`);
  const { maxSide = 16_384, maxPixels = 2 ** 24 } = limits;
  const width = view.getUint32(offset);
  const height = view.getUint32(offset + 4);
  const depth = view.getUint8(offset + 8);
  const colorType = view.getUint8(offset + 9);
  const interlace = view.getUint8(offset + 12);
  if (width === 0 || height === 0) throw unreadable(where, `its header says ${width} x ${height} pixels`);
  if (width > maxSide || height > maxSide || width * height > maxPixels) {
    throw new TransfusionError({
      code: 'IMAGE_TOO_LARGE',
      message: `${where}: its header says ${width} x ${height} pixels, the limit is ${maxSide} per side and ${maxPixels} in all`,
      fix: 'make the image smaller first',
    });
  }
  if (!DEPTHS[colorType]?.includes(depth)) {
    throw unreadable(where, `its header says colour type ${colorType} with ${depth} bits, which PNG does not have`);
  }
  if (interlace > 1) throw unreadable(where, `its header says interlace method ${interlace}, expected 0 or 1`);
  if (interlace === 1 && depth < 8) {
    throw unreadable(
      where,
      `it is interlaced with ${depth} bits per channel, which is not supported`,
      'save it without interlacing',
    );
  }
  return { width, height, depth, channels: CHANNELS[colorType], interlaced: interlace === 1, indexed: colorType === 3 };
}

/** Bytes of the image data once inflated: a filter byte and the packed samples for each line of each pass. */
function inflatedLength({ width, height, channels, depth, interlaced }: Header): number {
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
    throw unreadable(where, `its image data is damaged (${error instanceof Error ? error.message : error})`);
  }
  if (inflated < expected) {
    throw unreadable(where, `its image data ends after ${inflated} of ${expected} bytes`);
  }
}

/** A PNG file that passed the checks. */
export interface CheckedPng {
  /** The file, reduced to the chunks that decide about its pixels. Of an animation that is the still image. */
  bytes: Uint8Array;
  /** Samples are positions in a palette, which is there. */
  indexed: boolean;
}

/**
 * Checks a PNG file from the outside.
 *
 * @throws TransfusionError IMAGE_UNREADABLE, IMAGE_TOO_LARGE
 */
export function checkPng(bytes: Uint8Array, where: string, limits: PngLimits = {}): CheckedPng {
  if (bytes.length === 0) throw unreadable(where, 'the file is empty');
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw unreadable(where, `it is ${describeFormat(bytes)}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept: Uint8Array[] = [bytes.subarray(0, 8)];
  const imageData: Uint8Array[] = [];
  let header: Header | undefined;
  let hasPalette = false;
  let type = '';
  for (let offset = 8; type !== 'IEND'; ) {
    if (offset + 12 > bytes.length) throw unreadable(where, `the file is truncated after ${bytes.length} bytes`);
    const length = view.getUint32(offset);
    type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    const end = offset + 12 + length;
    if (end > bytes.length) {
      throw unreadable(
        where,
        `the file is truncated: chunk ${JSON.stringify(type)} ends at byte ${end} of ${bytes.length}`,
      );
    }
    if (header === undefined) {
      if (type !== 'IHDR') throw unreadable(where, `its first chunk is ${JSON.stringify(type)}, expected "IHDR"`);
      header = readHeader(view, offset + 8, length, where, limits);
    } else if (type === 'IHDR') {
      throw unreadable(where, 'it has two headers');
    }
    if (type === 'PLTE') hasPalette = true;
    if (type === 'IDAT') imageData.push(bytes.subarray(offset + 8, offset + 8 + length));
    if (PIXEL_CHUNKS.has(type)) kept.push(bytes.subarray(offset, end));
    offset = end;
  }
  if (header === undefined || imageData.length === 0) throw unreadable(where, 'it has no image data');
  if (header.indexed && !hasPalette) throw unreadable(where, 'its pixels name colors of a palette, which it lacks');
  checkInflated(imageData, inflatedLength(header), where);

  const clean = new Uint8Array(kept.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of kept) {
    clean.set(chunk, at);
    at += chunk.length;
  }
  return { bytes: clean, indexed: header.indexed };
}
