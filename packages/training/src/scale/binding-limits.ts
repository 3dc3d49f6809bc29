/** @file Which buffers a WebGPU device refuses to bind. */
import type { SizedBuffer } from './step-needs.js';

/**
 * `maxStorageBufferBindingSize` of devices: what every WebGPU device has (the specification's default), and what adapters give more. A
 * buffer of up to this size can be bound, and tensors are not split over several.
 */
export const BINDING_LIMITS: readonly number[] = [2 ** 27, 2 ** 30, 2 ** 31, 2 ** 32];

/** Those that are larger than `limitBytes`, largest first. */
export function unbindable(buffers: readonly SizedBuffer[], limitBytes: number): SizedBuffer[] {
  return buffers.filter(({ bytes }) => bytes > limitBytes);
}
