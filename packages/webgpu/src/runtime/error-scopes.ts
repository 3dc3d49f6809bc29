/** @file What the device reports of a few synchronous calls: thrown where they were made, not by whatever comes next. */
import { errorFromGpu } from './faults.js';

const KINDS = ['validation', 'internal', 'out-of-memory'] as const;

/** Runs `make`, which must be synchronous. `fault` is what the device reports of it. */
export function captureFault<T>(device: GPUDevice, make: () => T): { value: T; fault: Promise<GPUError | null> } {
  for (const kind of KINDS) device.pushErrorScope(kind);
  let scopes: Promise<GPUError | null>[] = [];
  let value: T;
  try {
    value = make();
  } finally {
    // A lost device rejects them; the loss itself is reported by whoever awaits work.
    scopes = KINDS.map(() => device.popErrorScope().catch(() => null));
  }
  const fault = Promise.all(scopes).then((errors) => errors.find((error) => error !== null) ?? null);
  return { value, fault };
}

/**
 * Runs `create`, which must be synchronous, and throws what the device reports of it, after freeing what it made.
 * @throws OutOfMemoryError, BackendError (KERNEL_FAILED)
 */
export async function withErrorScopes<T>(
  device: GPUDevice,
  doing: string,
  create: () => { value: T; free: () => void },
): Promise<T> {
  const { value: made, fault } = captureFault(device, create);
  const error = await fault;
  if (!error) return made.value;
  made.free();
  throw errorFromGpu(error, doing);
}
