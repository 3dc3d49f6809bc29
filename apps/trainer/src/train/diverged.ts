/** @file The error of a run whose numbers are no numbers any more. */
import { TransfusionError } from '@transfusion/tensor';

/** @throws TransfusionError TRAINING_DIVERGED: one of a step's numbers is not finite; it tells the rate */
export function checkFinite(step: number, numbers: Readonly<Record<string, number>>, learningRate: number): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue;
    throw new TransfusionError({
      code: 'TRAINING_DIVERGED',
      message: `step ${step}: ${name} is ${value}`,
      fix:
        `set a lower learningRate.learningRate (here the rate was ${learningRate.toPrecision(2)}), a longer ` +
        'learningRate.warmupSteps or a smaller optimizer.maxGradientNorm: with --resume the run goes on so from its last ' +
        'checkpoint; where none was saved yet, start over with --overwrite',
    });
  }
}
