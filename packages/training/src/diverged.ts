/** @file The error of a run whose numbers are no numbers any more. */
import { TransfusionError } from '@transfusion/core';

/** @throws TransfusionError TRAINING_DIVERGED: one of a step's numbers is not finite; it tells the rate */
export function checkFinite(step: number, numbers: Readonly<Record<string, number>>, learningRate: number): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue;
    throw diverged(`step ${step}: ${name} is ${value}`, learningRate);
  }
}

function diverged(message: string, learningRate: number, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'TRAINING_DIVERGED',
    message,
    fix:
      `set a lower learningRate.learningRate (here the rate was ${learningRate.toPrecision(2)}), a longer ` +
      'learningRate.warmupSteps or a smaller optimizer.maxGradientNorm: with --resume the run goes on so from its last ' +
      'checkpoint; where none was saved yet, start over with --overwrite',
    cause,
  });
}

/** Codes of errors that name a value which is not finite, where the weights of a run are used. */
const NOT_FINITE = ['CODEC_NOT_FINITE', 'SAMPLER_NOT_FINITE', 'SAMPLER_LOGITS', 'CODEC_WEIGHTS'];

/** What `work` gives, which uses the weights of a run. @throws TransfusionError TRAINING_DIVERGED where their results are not finite */
export async function asDivergence<Result>(
  { step, learningRate }: { step: number; learningRate: number },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!TransfusionError.isInstance(error) || !NOT_FINITE.includes(error.code)) throw error;
    throw diverged(`step ${step}: ${error.message.split('\n', 1)[0]}`, learningRate, error);
  }
}
