/** @file Errors of metrics: what was given cannot be measured. */
import { TransfusionError } from '@transfusion/core';

/** Two things that belong together differ in number or size. */
export function mismatch(message: string, fix?: string): TransfusionError {
  return new TransfusionError({ code: 'EVALUATION_MISMATCH', message, fix });
}

/** A number that no metric can be made of: NaN, infinite, negative, too few. */
export function unmeasurable(message: string, fix?: string): TransfusionError {
  return new TransfusionError({ code: 'EVALUATION_VALUE', message, fix });
}

/** Refuses a count of things that must be there. */
export function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw unmeasurable(`${name} is ${value}, expected a positive integer`);
}
