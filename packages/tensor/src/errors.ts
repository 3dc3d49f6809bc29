/** @file Errors of devices, beside the error of all packages. */
import { TransfusionError } from '@transfusion/core';

export { TransfusionError };

/** A tensor program or buffer does not fit the device. Thrown before anything is allocated. */
export class OutOfMemoryError extends TransfusionError<'OUT_OF_MEMORY'> {
  override readonly name = 'OutOfMemoryError';

  constructor(options: { message: string; fix?: string }) {
    super({ code: 'OUT_OF_MEMORY', ...options });
  }
}

/** A backend cannot be opened, or was lost while running. */
export class BackendError extends TransfusionError<
  'BACKEND_UNAVAILABLE' | 'DEVICE_LOST' | 'BACKEND_DISPOSED' | 'KERNEL_FAILED'
> {
  override readonly name = 'BackendError';
}
