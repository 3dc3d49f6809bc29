/** @file Classifier-free guidance (Ho & Salimans, arXiv 2207.12598), and how it is kept in bounds. */
import { z } from 'zod';
import { checkSameLength, type FloatArray } from './float-array.js';
import type { SamplingPlan } from './plan.js';

/** For whoever draws an image to choose, beside the scale. Nothing has a default here: what is missing is not done. */
export const guidanceOptions = {
  guidanceInterval: z
    .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
    .refine(([from, to]) => from < to, 'give the lower end first, as in [0.2, 0.8]')
    .optional()
    .describe(
      'Guides only where (timestep + 1) / trainTimesteps is above the first and at most the second number: 0 is the clean image, 1 pure noise, on the flow schedule it is the noise level (arXiv 2404.07724). Default [0, 1], everywhere.',
    ),
  guidanceRescale: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'Share by which the guided prediction is brought to the standard deviation of the conditional one, against too much contrast (arXiv 2305.08891, equations 15 and 16). Default 0; 0.7 in that paper.',
    ),
  guidanceRenorm: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "Shrinks the guided prediction to the conditional one's norm, but not below this share of its own (BAGEL's cfg_renorm_min, arXiv 2505.14683). Default: not at all.",
    ),
};

/** How the predictions of a plan's evaluations are guided. */
export interface GuidancePlan {
  /** Of each evaluation; 1: not guided, and no unconditional prediction is needed. */
  readonly scales: readonly number[];
  /** 0: none. */
  readonly rescale: number;
  readonly renorm: number | undefined;
}

/**
 * @param options.interval ends of (timestep + 1) / trainTimesteps, the first not included
 */
export function planGuidance(options: {
  plan: SamplingPlan;
  trainTimesteps: number;
  scale: number;
  interval?: readonly [number, number];
  rescale?: number;
  renorm?: number;
}): GuidancePlan {
  const { plan, trainTimesteps, scale, interval = [0, 1], rescale = 0, renorm } = options;
  const isWithin = (timestep: number) => {
    const noisiness = (timestep + 1) / trainTimesteps;
    return noisiness > interval[0] && noisiness <= interval[1];
  };
  const scales = plan.evaluations.map(({ timestep }) => (isWithin(timestep) ? scale : 1));
  return { scales, rescale, renorm };
}

/** Whether any evaluation needs the unconditional prediction. */
export function isGuided({ scales }: GuidancePlan): boolean {
  return scales.some((scale) => scale !== 1);
}

/**
 * `unconditional + scale * (conditional - unconditional)`, computed in f64. A scale of 1 returns a copy of the
 * conditional prediction, bit for bit; 0 one of the unconditional.
 */
export function guide<Values extends FloatArray>(unconditional: Values, conditional: Values, scale: number): Values {
  checkSameLength('unconditional', unconditional, 'conditional', conditional);
  if (scale === 1) return conditional.slice() as Values;
  return unconditional.map((value, i) => value + scale * (conditional[i] - value)) as Values;
}

/**
 * `guided * (rescale * std(conditional) / std(guided) + 1 - rescale)` (Lin et al., arXiv 2305.08891, equations 15 and 16),
 * computed in f64: guidance with a large scale gives too much contrast. A guided prediction that is the same everywhere
 * stays what it is.
 *
 * @param guided prediction for one image
 * @param conditional prediction for the same
 * @param rescale phi, from 0 (a copy) to 1
 */
export function guideRescaled<Values extends FloatArray>(guided: Values, conditional: Values, rescale: number): Values {
  checkSameLength('guided', guided, 'conditional', conditional);
  const own = deviation(guided);
  const factor = own === 0 ? 1 : rescale * (deviation(conditional) / own) + (1 - rescale);
  return guided.map((value) => value * factor) as Values;
}

/**
 * `guided * clamp(norm(conditional) / norm(guided), renorm, 1)`, computed in f64: what BAGEL (arXiv 2505.14683) does with
 * `cfg_renorm_type` global and `cfg_renorm_min` `renorm`.
 *
 * @param guided prediction for one image
 * @param conditional prediction for the same
 * @param renorm from 0 to 1 (a copy)
 */
export function guideRenormed<Values extends FloatArray>(guided: Values, conditional: Values, renorm: number): Values {
  checkSameLength('guided', guided, 'conditional', conditional);
  const own = norm(guided);
  const factor = own === 0 ? 1 : Math.min(Math.max(norm(conditional) / own, renorm), 1);
  return guided.map((value) => value * factor) as Values;
}

/** Of all values, around their mean. */
function deviation(values: FloatArray): number {
  const mean = sum(values, (value) => value) / values.length;
  return Math.sqrt(sum(values, (value) => (value - mean) ** 2) / values.length);
}

function norm(values: FloatArray): number {
  return Math.sqrt(sum(values, (value) => value * value));
}

function sum(values: FloatArray, term: (value: number) => number): number {
  let total = 0;
  for (const value of values) total += term(value);
  return total;
}
