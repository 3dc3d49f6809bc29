/** @file The error of a run whose numbers are no numbers any more. */
import { TransfusionError } from '@transfusion/tensor';

/** @throws TransfusionError TRAINING_DIVERGED: one of a step's numbers is not finite */
export function checkFinite(step: number, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue;
    throw new TransfusionError({
      code: 'TRAINING_DIVERGED',
      message: `step ${step}: ${name} is ${value}`,
      fix: 'lower learningRate.learningRate or raise its warmupSteps, and resume from the last checkpoint',
    });
  }
}
