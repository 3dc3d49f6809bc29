/** @file How many generations run at once, and how many requests may wait for their first. */
import { ApiError } from '../api-error.js';

export interface WorkQueueOptions {
  /** Generations that run at once. */
  concurrency: number;
  /** Requests that may wait; the next one is refused. */
  waiting: number;
}

interface Waiter {
  start(): void;
}

/** The seconds of a request are remembered as a mean in which each counts for so much. */
const SHARE = 0.2;
const LONGEST_RETRY_SECONDS = 60;

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  #running = 0;
  #requests = 0;
  readonly #waiters: Waiter[] = [];
  /** Of a generation, once there was one. */
  #meanSeconds = 1;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Generations under way. */
  get running(): number {
    return this.#running;
  }

  /** Requests that have not begun. */
  get waiting(): number {
    return this.#requests;
  }

  /**
   * A place for a request, to be closed when it is done.
   *
   * @throws ApiError 429 with Retry-After: too many wait already
   */
  admit(): Admission {
    const { concurrency, waiting } = this.#options;
    // Those that were admitted while slots are free have one each before the next event is handled.
    const free = concurrency - this.#running - this.#waiters.length;
    if (this.#requests >= waiting + Math.max(0, free)) {
      const seconds = Math.ceil((this.#meanSeconds * (this.#requests + 1)) / concurrency);
      throw new ApiError({
        status: 429,
        message: `The server is busy: ${this.#running} generations run and ${this.#requests} requests wait, which is the most. Try again later.`,
        type: 'requests',
        code: 'rate_limit_exceeded',
        headers: { 'retry-after': String(Math.min(Math.max(seconds, 1), LONGEST_RETRY_SECONDS)) },
      });
    }
    this.#requests++;
    let isWaiting = true;
    const begun = () => {
      if (isWaiting) this.#requests--;
      isWaiting = false;
    };
    return { slot: (signal) => this.#slot(signal, begun), close: begun };
  }

  async #slot(signal: AbortSignal, begun: () => void): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.#options.concurrency) await this.#turn(signal, begun);
    else {
      this.#running++;
      begun();
    }
    return this.#release();
  }

  #release(): () => void {
    const start = performance.now();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#meanSeconds += SHARE * ((performance.now() - start) / 1000 - this.#meanSeconds);
      // A slot is handed on, not freed and taken.
      const next = this.#waiters.shift();
      if (next) next.start();
      else this.#running--;
    };
  }

  #turn(signal: AbortSignal, begun: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        start: () => {
          signal.removeEventListener('abort', leave);
          begun();
          resolve();
        },
      };
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.push(waiter);
    });
  }
}

export interface Admission {
  /** Waits for a slot; first come, first served. Call what it gives when the work is done. @throws the signal's reason */
  slot(signal: AbortSignal): Promise<() => void>;
  /** The request waits no more. */
  close(): void;
}
