/** @file Images to patches and back: left to right, top to bottom (paper section 3, "Data Representation"). */
import { TransfusionError } from '@transfusion/core';

/** The sizes of an image and of its square patches. */
export interface PatchGrid {
  height: number;
  width: number;
  channels: number;
  /** Side of a patch, in pixels (of the latent image); divides height and width. */
  patchSize: number;
}

function checkGrid(name: string, { height, width, channels, patchSize }: PatchGrid, values: Float32Array): void {
  if (height % patchSize !== 0 || width % patchSize !== 0) {
    throw new TransfusionError({
      code: 'DATA_PATCH_SIZE',
      message: `${name}: an image of ${height} x ${width} does not divide into patches of ${patchSize} x ${patchSize}`,
      fix: 'choose an image size that is a multiple of the patch size',
    });
  }
  if (!(values instanceof Float32Array) || values.length !== height * width * channels) {
    const given = Object(values) as ArrayLike<number>;
    throw new TransfusionError({
      code: 'DATA_IMAGE_SHAPE',
      message: `${name}: got ${given.constructor.name} of ${given.length} values, expected a Float32Array of [${height}, ${width}, ${channels}] = ${height * width * channels}`,
    });
  }
}

/** Calls `visit(imageOffset, patchOffset)` for each patch row: `patchSize * channels` values contiguous in both. */
function forEachPatchRow(grid: PatchGrid, visit: (imageOffset: number, patchOffset: number) => void): void {
  const { height, width, channels, patchSize } = grid;
  let patchOffset = 0;
  for (let top = 0; top < height; top += patchSize) {
    for (let left = 0; left < width; left += patchSize) {
      for (let y = 0; y < patchSize; y++) {
        visit(((top + y) * width + left) * channels, patchOffset);
        patchOffset += patchSize * channels;
      }
    }
  }
}

/**
 * image [height, width, channels] -> [patches, patchSize * patchSize * channels]: patches in row-major order, values
 * of a patch in (y, x, channel) order.
 */
export function patchify(options: PatchGrid & { image: Float32Array }): Float32Array {
  const { image } = options;
  checkGrid('patchify', options, image);
  const patches = new Float32Array(image.length);
  const run = options.patchSize * options.channels;
  forEachPatchRow(options, (imageOffset, patchOffset) => {
    patches.set(image.subarray(imageOffset, imageOffset + run), patchOffset);
  });
  return patches;
}

/** The inverse of `patchify`: [patches, patchSize * patchSize * channels] -> [height, width, channels]. */
export function unpatchify(options: PatchGrid & { patches: Float32Array }): Float32Array {
  const { patches } = options;
  checkGrid('unpatchify', options, patches);
  const image = new Float32Array(patches.length);
  const run = options.patchSize * options.channels;
  forEachPatchRow(options, (imageOffset, patchOffset) => {
    image.set(patches.subarray(patchOffset, patchOffset + run), imageOffset);
  });
  return image;
}
