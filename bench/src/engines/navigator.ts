/** @file `navigator`, which engines written for browsers look at when they are imported. */
import { availableParallelism } from 'node:os';

/** Replaces it: Node 20 has none, later versions have one without a GPU. */
export function setNavigator(gpu?: GPU): void {
  const value = { gpu, userAgent: 'node', hardwareConcurrency: availableParallelism() };
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
}
