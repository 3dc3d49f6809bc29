/** @file A training step as a task: what the engines' first steps give is compared. */
import type { Task } from './row.js';

/** The steps whose numbers all engines must agree on: the second shows whether the first one's update is right. */
export const CHECKED_STEPS = 2;

/**
 * A task out of a step that takes its number, from 1, and returns losses and the norm of the gradients.
 * @param options.overlaps whether the next step is begun before the results of this one are there, as `trainer` does on a device that
 *   has a queue
 */
export function stepTask(
  step: (number: number) => Promise<ArrayLike<number>>,
  { overlaps = false }: { overlaps?: boolean } = {},
): Task {
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
      let before: Promise<void> | undefined;
      for (let i = 0; i < times; i++) {
        const running = runStep();
        await (overlaps ? before : running);
        before = running;
      }
      await before;
    },
    check: async () => Float32Array.from(seen),
  };
}
