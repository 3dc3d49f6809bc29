/** @file Steps one after the other: batches are made while the device computes, and where it has a queue, so is the next step begun. */
import type { BatchArrays } from './objective.js';

export interface StepQueueOptions<Result> {
  /** The batches of a step, counted from 0; none of a step that there is not. */
  batches(step: number): Promise<BatchArrays[]>;
  /** Begins a step. */
  run(step: number, batches: readonly BatchArrays[]): Promise<Result>;
  /** Whether a step may begin before the results of the one before are read: nothing looks at the state in between. */
  mayBeginEarly(step: number): boolean;
}

export class StepQueue<Result> {
  readonly #options: StepQueueOptions<Result>;
  #batches: readonly BatchArrays[] | undefined;
  /** The next step, begun. */
  #ahead: Promise<Result> | undefined;

  constructor(options: StepQueueOptions<Result>) {
    this.#options = options;
  }

  /** Whether the next step has begun. */
  get isAhead(): boolean {
    return this.#ahead !== undefined;
  }

  /** The results of a step, which is the first or follows the one before. Nothing runs any more when it throws. */
  async next(step: number): Promise<Result> {
    const { batches, run, mayBeginEarly } = this.#options;
    const current = this.#ahead ?? run(step, this.#batches ?? (await batches(step)));
    this.#ahead = undefined;
    const following = async () => {
      this.#batches = await batches(step + 1);
      if (!mayBeginEarly(step + 1)) return;
      this.#ahead = run(step + 1, this.#batches);
      // Whoever asks for it is told.
      this.#ahead.catch(() => {});
    };
    // All are waited for: who frees the state after an error must not do so under a step.
    const [ran, made] = await Promise.allSettled([current, following()]);
    if (ran.status === 'fulfilled' && made.status === 'fulfilled') return ran.value;
    await Promise.allSettled([this.#ahead]);
    throw ran.status === 'rejected' ? ran.reason : (made as PromiseRejectedResult).reason;
  }
}
