/** @file Arrays of numbers on the host. */
import { TransfusionError } from '@transfusion/core';

export type FloatArray = Float32Array | Float64Array;

/** @throws TransfusionError `SCHEDULER_LENGTH_MISMATCH` */
export function checkSameLength(
  nameA: string,
  a: { readonly length: number },
  nameB: string,
  b: { readonly length: number },
): void {
  if (a.length === b.length) return;
  throw new TransfusionError({
    code: 'SCHEDULER_LENGTH_MISMATCH',
    message: `${nameA} has ${a.length} values, ${nameB} has ${b.length}`,
    fix: 'pass arrays of the same image or batch',
  });
}
