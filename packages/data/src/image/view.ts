/** @file Another view of a picture: what it shows stays what it is. */
import { PhiloxStream } from '@transfusion/tensor';
import { hashOfBytes } from '../name-hash.js';
import { RandomPurpose } from '../random-purpose.js';

export interface ViewedPicture {
  width: number;
  height: number;
  /** [height, width, 3], from 0 to 255. */
  pixels: Uint8Array;
}

/** Most that a view differs by. */
const TURN = Math.PI / 15;
/** A factor, along each side for itself half as much. */
const SCALE = 0.15;
/** Of a side. */
const MOVE = 0.08;
const BRIGHTNESS = 0.07;
const SATURATION = 0.2;
/** Of a channel, relative to the others. */
const TINT = 0.05;

/**
 * Pixels of a view of a picture: turned by up to 12 degrees, scaled by up to 15 % and stretched by up to 8 %, moved by up to 8 % of its sides, in slightly other colours.
 * Never mirrored, which would make a left hand of a right one. Beyond its edges the picture goes on as it ends.
 *
 * @param number of the view, from 0: the same picture has the same views at every call
 */
export function viewOf(picture: ViewedPicture, number: number): Uint8Array {
  const stream = new PhiloxStream(0, RandomPurpose.views, hashOfBytes(picture.pixels), number);
  return recoloured(moved(picture, stream), stream);
}

/** From -most to most. */
function around(most: number, stream: PhiloxStream): number {
  return most * (2 * stream.uniform() - 1);
}

function moved({ width, height, pixels }: ViewedPicture, stream: PhiloxStream): Uint8Array {
  const turn = around(TURN, stream);
  const scale = Math.exp(around(SCALE, stream));
  const stretch = Math.exp(around(SCALE / 2, stream));
  const middleX = (width - 1) / 2;
  const middleY = (height - 1) / 2;
  const toX = middleX + around(MOVE, stream) * width;
  const toY = middleY + around(MOVE, stream) * height;
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  const view = new Uint8Array(pixels.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const fromX = middleX + (cos * (x - toX) + sin * (y - toY)) / (scale * stretch);
      const fromY = middleY + (cos * (y - toY) - sin * (x - toX)) / (scale / stretch);
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      const [column, nextColumn] = [within(left, width), within(left + 1, width)];
      const [row, nextRow] = [within(top, height) * width, within(top + 1, height) * width];
      const [a, b] = [(row + column) * 3, (row + nextColumn) * 3];
      const [c, d] = [(nextRow + column) * 3, (nextRow + nextColumn) * 3];
      const shareX = fromX - left;
      const shareY = fromY - top;
      for (let channel = 0; channel < 3; channel++) {
        const above = pixels[a + channel] * (1 - shareX) + pixels[b + channel] * shareX;
        const below = pixels[c + channel] * (1 - shareX) + pixels[d + channel] * shareX;
        view[to + channel] = Math.round(above * (1 - shareY) + below * shareY);
      }
    }
  }
  return view;
}

/** The nearest place from 0 to `size` - 1. */
function within(place: number, size: number): number {
  return Math.min(Math.max(place, 0), size - 1);
}

/** In place. White stays white, and gray gray. */
function recoloured(pixels: Uint8Array, stream: PhiloxStream): Uint8Array {
  const darkness = Math.exp(around(BRIGHTNESS, stream));
  const saturation = Math.exp(around(SATURATION, stream));
  const tints = [around(TINT, stream), around(TINT, stream), around(TINT, stream)];
  for (let at = 0; at < pixels.length; at += 3) {
    const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const gray = (red + green + blue) / 3;
    const colour = Math.max(red, green, blue) - Math.min(red, green, blue);
    for (let channel = 0; channel < 3; channel++) {
      const value = gray + (pixels[at + channel] - gray) * saturation + colour * tints[channel];
      pixels[at + channel] = Math.round(Math.min(Math.max(255 - (255 - value) * darkness, 0), 255));
    }
  }
  return pixels;
}
