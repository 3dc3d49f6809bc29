/** @file Euler's method on the flow `dx/dt = x0 - epsilon` (arXiv 2209.03003), from noise at t = 0 to image at t = 1. */
import { z } from 'zod';
import { alongEpsilon, type ConfigOf, planSteps, type SamplerDefinition, type SamplerRun } from './definition.js';
import { flowFields, flowTimesteps } from './fields.js';

const schema = z.strictObject({ type: z.literal('euler'), ...flowFields });

/** On the straight line, moving along a fixed x0 and epsilon is the Euler step `x + (t' - t) (x0 - epsilon)`. */
export const euler = {
  schema,
  schedules: ['flow'],
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, flowTimesteps(run), ({ current, next }) => alongEpsilon(current, next)),
} satisfies SamplerDefinition;
