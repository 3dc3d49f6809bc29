/** @file A training step as a task: what the engines' first steps give is compared. */
import type { Task } from './row.js';

/** The steps whose numbers all engines must agree on: the second shows whether the first one's update is right. */
export const CHECKED_STEPS = 2;

/** A task out of a step that takes its number, from 1, and returns losses and the norm of the gradients. */
export function stepTask(step: (number: number) => Promise<ArrayLike<number>>): Task {
  const seen: number[] = [];
  let steps = 0;
  const runStep = async () => {
    steps += 1;
    const isChecked = steps <= CHECKED_STEPS;
    const numbers = await step(steps);
    if (isChecked) seen.push(...Array.from(numbers));
  };
  return {
    async run(times) {
      for (let i = 0; i < times; i++) await runStep();
    },
    check: async () => Float32Array.from(seen),
  };
}
