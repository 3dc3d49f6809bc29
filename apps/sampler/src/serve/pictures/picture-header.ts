/** @file What a picture file says of itself in its first bytes: its kind, and its size before anything is decoded. */

export interface PictureHeader {
  kind: 'PNG' | 'JPEG' | 'WebP' | 'GIF';
  width: number;
  height: number;
}

/** Undefined where it is of no other kind, or ends before its size. */
export function readPictureHeader(file: Uint8Array): PictureHeader | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  try {
    if (startsWith(file, 0, '\x89PNG\r\n\x1a\n')) {
      if (!startsWith(file, 12, 'IHDR')) return undefined;
      return { kind: 'PNG', width: view.getUint32(16), height: view.getUint32(20) };
    }
    if (startsWith(file, 0, 'GIF8'))
      return { kind: 'GIF', width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (startsWith(file, 0, 'RIFF') && startsWith(file, 8, 'WEBP')) return webp(file, view);
    return view.getUint16(0) === 0xffd8 ? jpeg(view) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function startsWith(file: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (file[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Lossy, lossless, or extended (RFC 9649). */
function webp(file: Uint8Array, view: DataView): PictureHeader | undefined {
  if (startsWith(file, 12, 'VP8 ')) {
    return { kind: 'WebP', width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  if (startsWith(file, 12, 'VP8L')) {
    const bits = view.getUint32(21, true);
    return { kind: 'WebP', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (!startsWith(file, 12, 'VP8X')) return undefined;
  const uint24 = (at: number) => view.getUint16(at, true) + 0x10000 * view.getUint8(at + 2);
  return { kind: 'WebP', width: uint24(24) + 1, height: uint24(27) + 1 };
}

/** Of the first frame header; all frames have its size. */
function jpeg(view: DataView): PictureHeader | undefined {
  let at = 2;
  for (;;) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { kind: 'JPEG', height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    } else {
      if (marker === 0xda || marker === 0xd9) return undefined;
      const length = view.getUint16(at + 2);
      if (length < 2) return undefined;
      at += 2 + length;
    }
  }
}
