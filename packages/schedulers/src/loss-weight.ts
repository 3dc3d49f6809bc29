/** @file What the squared error of an image weighs in the loss: the space it is taken in, and min-SNR. */
import { z } from 'zod';
import { minSnrWeight } from './min-snr.js';
import type { Objective } from './objective.js';
import { errorScale, type Parameterisation, parameterisationSchema } from './parameterisation.js';

/** JiT's floor of the noise level (arXiv 2511.13720). */
const USUAL_DIVISOR = 0.05;

/** Fields of training alone: a sampler does not need them. */
export const lossWeightFields = {
  lossSpace: parameterisationSchema
    .nullable()
    .default(null)
    .describe(
      'the squared error is that of the prediction turned into epsilon, sample, v or flow; null: as predicted (the paper). Predicting sample with the loss of flow is JiT (arXiv 2511.13720)',
    ),
  minDivisor: z
    .number()
    .min(0)
    .max(0.5)
    .optional()
    .describe(
      `a sample prediction is turned into another space by dividing by the noise level, an epsilon prediction by the signal level: by this at least; default: ${USUAL_DIVISOR} (JiT)`,
    ),
  minSnrGamma: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe(
      'min-SNR (arXiv 2303.09556, which takes 5): whatever is predicted, the squared error in the clean image weighs min(SNR, minSnrGamma); null: no such weight (the paper)',
    ),
};

export interface LossWeighting {
  /** Default: as predicted. */
  lossSpace?: Parameterisation | null;
  /** Default: 0.05. */
  minDivisor?: number;
  /** Default: none. */
  minSnrGamma?: number | null;
}

/**
 * What an image's squared error, taken as predicted, weighs: `(scale(lossSpace) / max(scale(predicted), minDivisor))^2`, times the
 * min-SNR weight of the loss space. `scale` is `errorScale`: x_t is known, so turning a prediction into another space multiplies
 * its error by a ratio of scales. A target turned in the same way differs by as much, so no x_t is needed.
 *
 * The scale of epsilon is the signal, that of sample the noise: only their conversions divide by something small, and the floor
 * is for them. JiT's 1 / max(noise, 0.05)^2 is sample to flow on the flow schedule. v and flow have scales of 0.5 and more.
 *
 * Since min-SNR fixes what the error in x0 weighs, with it all loss spaces are the same where the floor is not reached.
 *
 * @param options.timestep in `0 .. trainTimesteps - 1`
 * @returns 1 with the defaults; 0 where the loss space has no error, such as epsilon at pure noise
 * @throws TransfusionError `SCHEDULER_TIMESTEP_RANGE`
 */
export function lossWeight(options: {
  objective: Pick<Objective, 'parameterisation' | 'noiseSchedule'>;
  weighting: LossWeighting;
  timestep: number;
}): number {
  const { parameterisation, noiseSchedule } = options.objective;
  const { lossSpace, minDivisor = USUAL_DIVISOR, minSnrGamma = null } = options.weighting;
  const level = noiseSchedule.level(options.timestep);
  const space = lossSpace ?? parameterisation;
  const divisor = Math.max(errorScale(parameterisation, level), minDivisor);
  const converted = space === parameterisation ? 1 : (errorScale(space, level) / divisor) ** 2;
  return minSnrGamma === null
    ? converted
    : converted * minSnrWeight({ parameterisation: space, level, gamma: minSnrGamma });
}

/** Where a weighting has fields that do nothing: their names, and what would do. */
export function weightingProblems(
  predicted: Parameterisation,
  { lossSpace, minDivisor, minSnrGamma }: LossWeighting,
): { path: (keyof LossWeighting)[]; message: string }[] {
  const problems: ReturnType<typeof weightingProblems> = [];
  const converts = Boolean(lossSpace) && lossSpace !== predicted;
  if (converts && minSnrGamma != null) {
    const message =
      'changes nothing beside minSnrGamma, which weighs the error in the clean image alike in all spaces: leave out one of them';
    problems.push({ path: ['lossSpace'], message });
  }
  if (minDivisor !== undefined && !(converts && (predicted === 'sample' || predicted === 'epsilon'))) {
    const message = converts
      ? `a ${predicted} prediction is turned into ${lossSpace} without small divisors: leave minDivisor out, or predict sample or epsilon`
      : 'nothing is turned into another space: set lossSpace to one that is not predicted, or leave minDivisor out';
    problems.push({ path: ['minDivisor'], message });
  }
  return problems;
}
