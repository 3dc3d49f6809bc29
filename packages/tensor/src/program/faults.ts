/**
 * @file What goes wrong between a program and a backend: one code and one wording for each fault, whichever backend finds
 * it. `conformance/faults.ts` holds backends to them.
 */
import { BackendError, OutOfMemoryError, TransfusionError } from '../errors.js';

/** A number of bytes for a person: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

const LESS_MEMORY =
  'use fewer or shorter rows per step (and gradient accumulation), recompute activations (checkpointActivations), or use a smaller model';

/** @param options.what needs it; @param options.part of the backend's memory, with its article */
export function bufferTooLarge(options: {
  what: string;
  bytes: number;
  limitBytes: number;
  part?: 'a buffer' | 'an arena';
}): OutOfMemoryError {
  const { what, bytes, limitBytes, part = 'a buffer' } = options;
  return new OutOfMemoryError({
    message: `${what} needs ${formatBytes(bytes)}; ${part} of this backend has at most ${formatBytes(limitBytes)}`,
    fix: LESS_MEMORY,
  });
}

export function memoryExhausted(options: {
  what: string;
  bytes: number;
  usedBytes: number;
  limitBytes: number;
  /** More of the matter, in brackets. */
  detail?: string;
  /** How this backend is allowed more. */
  raise: string;
}): OutOfMemoryError {
  const { what, bytes, usedBytes, limitBytes, detail, raise } = options;
  return new OutOfMemoryError({
    message: `${what} needs ${formatBytes(bytes)}${detail ? ` (${detail})` : ''}; ${formatBytes(usedBytes)} of ${formatBytes(limitBytes)} are in use`,
    fix: `${LESS_MEMORY}; dispose programs and buffers that are no longer needed; or ${raise}`,
  });
}

/** The limits allow it, and the device still has no room. */
export function deviceMemoryExhausted(doing: string, reason: string): OutOfMemoryError {
  return new OutOfMemoryError({
    message: `${doing}: the device has no memory left (${reason})`,
    fix: `${LESS_MEMORY}; or close other programs that use the device`,
  });
}

/** @param backend 'wasm', 'webgpu', ... */
export function backendDisposed(backend: string): BackendError {
  return new BackendError({
    code: 'BACKEND_DISPOSED',
    message: `the ${backend} backend was used after dispose()`,
    fix: 'open another backend',
  });
}

/** For good: every later call says the same. */
export function deviceLost(what: string, reason: string): BackendError {
  return new BackendError({
    code: 'DEVICE_LOST',
    message: `${what} was lost (${reason})`,
    fix: 'dispose this backend, open another and continue from the last checkpoint',
  });
}

export function kernelFailed(doing: string, reason: string, cause?: unknown): BackendError {
  return new BackendError({
    code: 'KERNEL_FAILED',
    message: `${doing}: ${reason}`,
    fix: 'report this if it happens again, with the description of the backend',
    cause,
  });
}

export function kernelTooLarge(options: {
  backend: string;
  what: string;
  limit: string;
  fix: string;
}): TransfusionError {
  const { backend, what, limit, fix } = options;
  return new TransfusionError({
    code: 'KERNEL_TOO_LARGE',
    message: `${what}; the ${backend} backend takes up to ${limit}`,
    fix,
  });
}

export function precisionUnsupported(
  program: string,
  backend: { name: string; description: string },
): TransfusionError {
  return new TransfusionError({
    code: 'PRECISION_UNSUPPORTED',
    message: `${program}: precision 'f16' was asked for, but ${backend.name} (${backend.description}) has no f16`,
    fix: "use precision 'f32', or a WebGPU adapter with the feature 'shader-f16'",
  });
}

export function bufferDestroyed(elements: number): TransfusionError {
  return new TransfusionError({
    code: 'BUFFER_DESTROYED',
    message: `a buffer of ${elements} elements was used after destroy()`,
    fix: 'destroy a buffer after its last write, its last read and the last run of the programs that have it as a state',
  });
}

export function programDisposed(program: string): TransfusionError {
  return new TransfusionError({
    code: 'PROGRAM_DISPOSED',
    message: `program '${program}' was run after dispose()`,
    fix: 'load the program again',
  });
}

/** @param open the function that opens the backend */
export function backendOptions(open: string, why: string, fix?: string): TransfusionError {
  return new TransfusionError({ code: 'BACKEND_OPTIONS', message: `${open}: ${why}`, fix });
}
