/**
 * @file Copies images into a frame of zeros, so that a convolution's taps read memory without asking where the image
 * ends; with a dilation d, pixels land d apart and zeros between them (the input gradient of a stride). A tile is a
 * range of the target's rows, over all images.
 *
 * Arguments: source, target, height, width, bytes of a pixel, target height, target width, top, left, vertical dilation,
 * horizontal dilation, rows per tile, rows of all images, bytes of a plane (0: pixels stay whole).
 *
 * In planes, four channels of all pixels of an image follow one another, then the next four: a pixel is 16 bytes in each.
 */
import { clearRow, copyRow } from './partial';
import { argAddress, argI32 } from './scratch';

export function conv2dPad(args: usize, tile: i32, _thread: i32): void {
  const height = argI32(args, 2);
  const width = argI32(args, 3);
  const pixel = argAddress(args, 4);
  const targetHeight = argI32(args, 5);
  const targetWidth = argI32(args, 6);
  const top = argI32(args, 7);
  const left = argI32(args, 8);
  const dilationY = argI32(args, 9);
  const dilationX = argI32(args, 10);
  const perTile = argI32(args, 11);
  const planeBytes = argAddress(args, 13);
  const planes: usize = planeBytes ? pixel >> 4 : 1;
  const targetPixel: usize = planeBytes ? 16 : pixel;
  const rowBytes = <usize>targetWidth * targetPixel;
  const last = min(argI32(args, 12), (tile + 1) * perTile);
  for (let number = tile * perTile; number < last; number++) {
    const image = number / targetHeight;
    const y = number - image * targetHeight - top;
    // Without planes, planeBytes is 0 and the row's place that of its number.
    let target = argAddress(args, 1) + <usize>number * rowBytes + <usize>image * (planes - 1) * planeBytes;
    const isEmpty = y < 0 || y >= height * dilationY || y % dilationY != 0;
    let source = argAddress(args, 0) + <usize>((image * height + y / dilationY) * width) * pixel;
    for (let plane: usize = 0; plane < planes; plane++, target += planeBytes, source += 16) {
      if (isEmpty) clearRow(target, rowBytes);
      else if (planeBytes) copyPlane(source, target, width, targetWidth, left, pixel);
      else if (dilationX == 1) copyAdjacent(source, target, width, targetWidth, left, pixel);
      else copyApart(source, target, width, targetWidth, left, dilationX, pixel);
    }
  }
}

/** Zeros, the row's pixels from column `left` on (cut where that is negative, and at the frame's end), zeros. */
@inline
function copyAdjacent(source: usize, target: usize, width: i32, targetWidth: i32, left: i32, pixel: usize): void {
  const begin = min(max(left, 0), targetWidth);
  const skipped = max(-left, 0);
  const count = max(min(width - skipped, targetWidth - begin), 0);
  clearRow(target, <usize>begin * pixel);
  copyRow(source + <usize>skipped * pixel, target + <usize>begin * pixel, <usize>count * pixel);
  clearRow(target + <usize>(begin + count) * pixel, <usize>(targetWidth - begin - count) * pixel);
}

/** The same of four channels of each pixel. */
@inline
function copyPlane(source: usize, target: usize, width: i32, targetWidth: i32, left: i32, pixel: usize): void {
  const begin = min(max(left, 0), targetWidth);
  const skipped = max(-left, 0);
  const count = max(min(width - skipped, targetWidth - begin), 0);
  clearRow(target, <usize>begin << 4);
  target += <usize>begin << 4;
  source += <usize>skipped * pixel;
  for (let i = count; i > 0; i--, source += pixel, target += 16) v128.store(target, v128.load(source));
  clearRow(target, <usize>(targetWidth - begin - count) << 4);
}

@inline
function copyApart(
  source: usize, target: usize, width: i32, targetWidth: i32, left: i32, dilation: i32, pixel: usize,
): void {
  for (let column = 0; column < targetWidth; column++, target += pixel) {
    const x = column - left;
    if (x < 0 || x >= width * dilation || x % dilation != 0) clearRow(target, pixel);
    else copyRow(source + <usize>(x / dilation) * pixel, target, pixel);
  }
}
