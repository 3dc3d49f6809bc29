/** @file A model that takes its time, and counts what it does. */
import type { Sampler } from '@transfusion/sampler';
import type { ServedModel } from '../work/served-model.js';

export interface Observed {
  /** Denoising steps that were taken. */
  steps(): number;
  /** Generations that began, and that ended in any way. */
  begun(): number;
  ended(): number;
}

/** @param milliseconds after each step; 0: it never lets go of the thread by itself */
export function observed(model: ServedModel, milliseconds: number): Observed & { model: ServedModel } {
  let [steps, begun, ended] = [0, 0, 0];
  const step = async () => {
    steps++;
    if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
  };
  const { sampler } = model;
  const slow: Sampler = {
    ...sampler,
    async *generate(options) {
      begun++;
      try {
        for await (const event of sampler.generate(options)) {
          if (event.type === 'denoise') await step();
          yield event;
        }
      } finally {
        ended++;
      }
    },
  };
  return { model: { ...model, sampler: slow }, steps: () => steps, begun: () => begun, ended: () => ended };
}
