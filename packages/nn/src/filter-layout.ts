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
export function filterFromStored(stored: Float32Array, shape: Shape): Float32Array {
  return reordered(stored, shape, (ours, theirs) => [ours, theirs]);
}

/** To a file's order; `shape` is [height, width, inputs, outputs]. */
export function filterToStored(filter: Float32Array, shape: Shape): Float32Array {
  return reordered(filter, shape, (ours, theirs) => [theirs, ours]);
}

function reordered(
  source: Float32Array,
  [height, width, inputs, outputs]: Shape,
  choose: (ours: number, theirs: number) => [to: number, from: number],
): Float32Array {
  const result = new Float32Array(source.length);
  const taps = height * width;
  for (let tap = 0; tap < taps; tap++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        const [to, from] = choose((tap * inputs + i) * outputs + o, (o * inputs + i) * taps + tap);
        result[to] = source[from];
      }
    }
  }
  return result;
}
