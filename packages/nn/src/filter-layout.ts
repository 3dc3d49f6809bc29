/**
 * @file Filters of convolutions: files of the ecosystem keep them [outputs, inputs, height, width], tensors here are
 * [height, width, inputs, outputs].
 */
import type { Shape } from '@transfusion/tensor';

/** The shape in a file of a filter [height, width, inputs, outputs]. */
export function storedFilterShape([height, width, inputs, outputs]: Shape): number[] {
  return [outputs, inputs, height, width];
}

/** From a file's order; `shape` is [height, width, inputs, outputs]. */
export function filterFromStored(stored: Float32Array, [height, width, inputs, outputs]: Shape): Float32Array {
  return reversed(stored, [outputs, inputs, height * width]);
}

/** To a file's order; `shape` is [height, width, inputs, outputs]. */
export function filterToStored(filter: Float32Array, [height, width, inputs, outputs]: Shape): Float32Array {
  return reversed(filter, [height * width, inputs, outputs]);
}

/** With its axes, [a, b, c], in the order [c, b, a]. */
function reversed(source: Float32Array, [a, b, c]: Shape): Float32Array {
  const result = new Float32Array(source.length);
  let to = 0;
  for (let k = 0; k < c; k++) {
    for (let j = 0; j < b; j++) {
      for (let i = 0; i < a; i++) result[to++] = source[(i * b + j) * c + k];
    }
  }
  return result;
}
