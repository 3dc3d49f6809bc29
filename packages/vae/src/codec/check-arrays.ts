/** @file Whether images, latents and results are what they should be: arrays of f32, of the right length, finite. */
import { describeKind, TransfusionError, tagOf } from '@transfusion/core';
import { firstNotFinite } from '../finite.js';

export const OVERFLOW_FIX =
  'the autoencoder overflows: pixels are in [-1, 1] and scaled latents near 1, mend them if they are far from it; else its weights are damaged or diverged, use others';

/** Of latents that are finite before `scaling_factor` or `latents_std` scales them. */
export const SCALED = {
  what: 'the scaled latents of images',
  fix: 'scaling_factor or latents_std of config.json is far from what brings these latents to unit variance: correct it',
};

interface Arrays {
  /** The method, for errors: `kl.encode`. */
  method: string;
  /** Each is [...shape], flattened. */
  shape: readonly number[];
}

/**
 * Checks the arrays that a codec was given.
 *
 * @throws TransfusionError CODEC_SHAPE: no list of Float32Array, or of another length; CODEC_NOT_FINITE
 */
export function checkArrays(
  options: Arrays & {
    /** The argument's name. */
    what: 'images' | 'latents';
    arrays: readonly Float32Array[];
    /** Where the length is wrong. */
    fix: string;
  },
): void {
  const { method, what, arrays, shape, fix } = options;
  const expected = shape.reduce((product, length) => product * length, 1);
  if (!Array.isArray(arrays)) {
    throw shapeError(
      `${method}: ${what} are ${describeKind(arrays)}, expected a list of Float32Array`,
      ArrayBuffer.isView(arrays) ? `one image is a list of one: ${what}: [array]` : `give ${what}: [array, ...]`,
    );
  }
  arrays.forEach((array: unknown, i) => {
    const name = `${method}: ${what}[${i}]`;
    if (tagOf(array) !== 'Float32Array') {
      throw shapeError(
        `${name} is ${describeKind(array)}, expected a Float32Array of [${shape.join(', ')}] = ${expected} values`,
        conversion(array, what),
      );
    }
    const { length } = array as Float32Array;
    if (length !== expected) {
      throw shapeError(`${name} has ${length} values, expected [${shape.join(', ')}] = ${expected}`, fix);
    }
    const at = firstNotFinite(array as Float32Array);
    if (at < 0) return;
    throw notFinite(
      `${name} has ${position(array as Float32Array, at, shape)}`,
      what === 'images'
        ? 'pixels are numbers in [-1, 1]: look at what made this image (a division by 0, an empty area, a broken file)'
        : 'look at what made these latents: a model that diverged in training draws such, and so do wrong sampling options',
    );
  });
}

/**
 * Checks what a network gave: an overflow in it shows here.
 *
 * @throws TransfusionError CODEC_NOT_FINITE, with the magnitude of what went in
 */
export function checkResults(
  options: Arrays & {
    /** "the image of latents" */
    what: string;
    results: readonly Float32Array[];
    inputs: readonly Float32Array[];
    /** Default: that of an autoencoder that overflows. */
    fix?: string;
  },
): void {
  const { method, what, results, inputs, shape, fix = OVERFLOW_FIX } = options;
  results.forEach((result, i) => {
    const at = firstNotFinite(result);
    if (at < 0) return;
    throw notFinite(
      `${method}: ${what}[${i}] has ${position(result, at, shape)}; what went in reaches ${greatest(inputs[i]).toPrecision(3)}`,
      fix,
    );
  });
}

/** The greatest magnitude. */
export function greatest(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/** "NaN at [row, column, channel]" */
function position(values: Float32Array, at: number, shape: readonly number[]): string {
  let rest = at;
  const index = [...shape].reverse().map((length) => {
    const along = rest % length;
    rest = Math.floor(rest / length);
    return along;
  });
  return `${values[at]} at [${index.reverse().join(', ')}] of [${shape.join(', ')}]`;
}

function conversion(value: unknown, what: string): string {
  if (tagOf(value) === 'Uint8Array' || tagOf(value) === 'Uint8ClampedArray') {
    return 'pixels are numbers in [-1, 1]: Float32Array.from(bytes, (byte) => byte / 127.5 - 1)';
  }
  const isNested = Array.isArray(value) && Array.isArray(value[0]);
  return isNested
    ? `flatten it: Float32Array.from(${what}[i].flat(Infinity))`
    : `give Float32Array.from(values), values [row, column, channel] one after the other`;
}

function shapeError(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'CODEC_SHAPE', message, fix });
}

export function notFinite(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'CODEC_NOT_FINITE', message, fix });
}
