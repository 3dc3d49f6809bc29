/** @file Images in a frame of zeros, so that no filter tap reads outside. */
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export interface FrameOptions {
  batch: number;
  height: number;
  width: number;
  channels: number;
  /** Byte address of the images. */
  address: number;
  /** Where the image begins in the frame; negative cuts it. */
  top: number;
  left: number;
  /** Pixels of the frame from one pixel of the image to the next; default 1. */
  dilationY?: number;
  dilationX?: number;
  frameHeight: number;
  frameWidth: number;
  /** Four channels after four channels, if there are whole fours and the image needs a frame at all; default false. */
  inPlanes?: boolean;
}

export interface Frame {
  address: number;
  imageBytes: number;
  rowBytes: number;
  /** Bytes from one pixel to the next. */
  pixelBytes: number;
  /** Bytes from four channels of an image to the next four; 0 if pixels are whole. */
  planeBytes: number;
  /** Those that make the frame; none where the images serve as they are. */
  commands: Command[];
}

/** Tiles of four channels may read this much past the last filter tap. */
const SLACK_BYTES = 16;

export function frameImages(options: FrameOptions, context: EncodeContext): Frame {
  const { batch, height, width, channels, address, top, left, dilationY = 1, dilationX = 1 } = options;
  const { frameHeight, frameWidth, inPlanes = false } = options;
  const pixelBytes = channels * 4;
  const isInside = top === 0 && left === 0 && frameHeight <= height && frameWidth <= width;
  if (isInside && dilationY === 1 && dilationX === 1) {
    const rowBytes = width * pixelBytes;
    return { address, imageBytes: height * rowBytes, rowBytes, pixelBytes, planeBytes: 0, commands: [] };
  }
  const planes = inPlanes && channels % 4 === 0 ? channels / 4 : 0;
  const framePixelBytes = planes > 0 ? 16 : pixelBytes;
  const rowBytes = frameWidth * framePixelBytes;
  const planeBytes = planes > 0 ? frameHeight * rowBytes : 0;
  const rows = batch * frameHeight;
  const target = context.scratch(rows * frameWidth * pixelBytes + SLACK_BYTES);
  const perTile = itemsPerTile(rows, 20 + frameWidth * pixelBytes * 0.06);
  const args = [address, target, height, width, pixelBytes, frameHeight, frameWidth];
  args.push(top, left, dilationY, dilationX, perTile, rows, planeBytes);
  return {
    address: target,
    imageBytes: frameHeight * frameWidth * pixelBytes,
    rowBytes,
    pixelBytes: framePixelBytes,
    planeBytes,
    commands: [{ kernel: KernelId.conv2dPad, tiles: Math.ceil(rows / perTile), args }],
  };
}
