/** @file Pictures from files, and in the sizes that a model takes. */
import { TransfusionError } from '@transfusion/core';
import { decodePng, fitImage, type ImageSize, isSameSize } from '@transfusion/data';
import type { Picture } from './protocol.js';

const PNG = [0x89, 0x50, 0x4e, 0x47];
/** Of a picture's side in pixels: more is scaled down before anything else. */
const MOST_SIDE = 2048;

/** @param name for errors @throws TransfusionError IMAGE_UNREADABLE */
export async function decodePicture(bytes: Uint8Array, name: string): Promise<Picture> {
  if (PNG.every((byte, i) => bytes[i] === byte)) {
    try {
      return decodePng(bytes, { where: name });
    } catch (error) {
      // Interlaced files of few bits: browsers read them.
      if (typeof createImageBitmap === 'undefined') throw error;
    }
  }
  return decodeByBrowser(new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
}

/** JPEG, WebP, AVIF, GIF, and whatever else the browser knows. */
async function decodeByBrowser(blob: Blob, name: string): Promise<Picture> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch (cause) {
    throw new TransfusionError({
      code: 'IMAGE_UNREADABLE',
      message: `${name} is no picture that this browser can read`,
      fix: 'Save it as PNG or JPEG.',
      cause,
    });
  }
  const scale = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return fromRgba(context.getImageData(0, 0, width, height));
}

/** Of opaque pixels. */
function fromRgba({ width, height, data }: ImageData): Picture {
  const rgb = new Float32Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) rgb[3 * i + channel] = data[4 * i + channel] / 127.5 - 1;
  }
  return { width, height, data: rgb };
}

/** The picture itself where it has the size, else its centre, resized as training does. */
export function fitted(picture: Picture, size: ImageSize): Picture {
  return isSameSize(picture, size) ? picture : fitImage(picture, size);
}

/** The picture in whole multiples, so that its file is one to look at. */
export function enlarged({ width, height, data }: Picture, scale: number): Picture {
  const wide = width * scale;
  const large = new Float32Array(wide * height * scale * 3);
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < wide; x++) {
      const from = 3 * (Math.floor(y / scale) * width + Math.floor(x / scale));
      large.set(data.subarray(from, from + 3), 3 * (y * wide + x));
    }
  }
  return { width: wide, height: height * scale, data: large };
}
