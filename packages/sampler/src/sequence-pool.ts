/** @file Sequence batches kept between calls, so that nothing is compiled twice for the same sizes. */
import { OutOfMemoryError } from '@transfusion/tensor';
import { SequenceBatch, type SequenceBatchOptions } from './sequence-batch.js';

/** Idle batches that are kept; beyond it the one unused for longest goes. */
const MOST_IDLE = 4;
const CAPACITY_STEP = 64;

export class SequencePool {
  readonly #options: Omit<SequenceBatchOptions, 'rows' | 'capacity'>;
  /** Least recently used first. */
  #idle: SequenceBatch[] = [];
  #disposed = false;

  constructor(options: Omit<SequenceBatchOptions, 'rows' | 'capacity'>) {
    this.#options = options;
  }

  dispose(): void {
    this.#disposed = true;
    this.#dropIdle(0);
  }

  /**
   * A batch of empty sequences that nobody else uses until it is given back.
   *
   * @param sizes.capacity positions needed per row, at most the model's `maxPositions`
   * @throws OutOfMemoryError
   */
  take({ rows, capacity }: { rows: number; capacity: number }): SequenceBatch {
    const fitting = this.#idle.filter((batch) => batch.rows === rows && batch.capacity >= capacity);
    const smallest = fitting.reduce<SequenceBatch | undefined>(
      (best, batch) => (best && best.capacity <= batch.capacity ? best : batch),
      undefined,
    );
    if (smallest) {
      this.#idle = this.#idle.filter((batch) => batch !== smallest);
      smallest.clear();
      return smallest;
    }
    const rounded = Math.max(CAPACITY_STEP, 2 ** Math.ceil(Math.log2(capacity)));
    const options = { ...this.#options, rows, capacity: Math.min(rounded, this.#options.config.maxPositions) };
    try {
      return new SequenceBatch(options);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || this.#idle.length === 0) throw error;
      this.#dropIdle(0);
      return new SequenceBatch(options);
    }
  }

  /** Gives a batch back, idle. */
  give(batch: SequenceBatch): void {
    this.#idle.push(batch);
    this.#dropIdle(this.#disposed ? 0 : MOST_IDLE);
  }

  #dropIdle(most: number): void {
    const dropped = this.#idle.splice(0, Math.max(0, this.#idle.length - most));
    for (const batch of dropped) batch.dispose();
  }
}
