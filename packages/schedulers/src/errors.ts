/** @file The error this package throws. */
import { TransfusionError } from '@transfusion/core';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class SchedulerError extends TransfusionError {
  override readonly name = 'SchedulerError';
}
