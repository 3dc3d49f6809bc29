/** @file The work for one request: its place in the queue, and what ends it early. */
import type { FastifyReply } from 'fastify';
import { ApiError, ClientGone } from '../api-error.js';
import { runAll, type Work } from '../work/run-all.js';
import type { Admission, WorkQueue } from '../work/work-queue.js';

export interface JobLimits {
  queue: WorkQueue;
  timeoutSeconds: number;
  /** Aborted, with what clients are told, when the server stops and waits no longer. */
  stopping: AbortSignal;
}

/** Ends early, with an error that says why, when the client goes, when it takes too long, and when the server stops. */
export class Job {
  readonly #controller = new AbortController();
  readonly #admission: Admission;
  readonly #endings: (() => void)[] = [];

  /** @throws ApiError 429 */
  constructor(reply: FastifyReply, { queue, timeoutSeconds, stopping }: JobLimits) {
    stopping.throwIfAborted();
    this.#admission = queue.admit();
    const { raw } = reply;
    const gone = () => {
      if (!raw.writableFinished) this.#controller.abort(new ClientGone());
    };
    const stop = () => this.#controller.abort(stopping.reason);
    const timer = setTimeout(() => this.#controller.abort(timedOut(timeoutSeconds)), timeoutSeconds * 1000);
    raw.on('close', gone);
    stopping.addEventListener('abort', stop, { once: true });
    this.#endings.push(
      () => clearTimeout(timer),
      () => raw.off('close', gone),
      () => stopping.removeEventListener('abort', stop),
    );
    if (raw.destroyed) gone();
  }

  /** Aborted when the client has gone, when it took too long, when the server stops. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does all works, each in a slot of the queue. See `runAll`. */
  run<Event>(works: readonly Work<Event>[]): AsyncGenerator<{ index: number; event: Event }, void> {
    const inSlots = works.map(
      (work): Work<Event> =>
        async (emit, signal) => {
          const release = await this.#admission.slot(signal);
          try {
            signal.throwIfAborted();
            await work(emit, signal);
          } finally {
            release();
          }
        },
    );
    return runAll(inSlots, this.signal);
  }

  /** Ends the work early. */
  cancel(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** To be called when the request is done with, in any way. */
  end(): void {
    this.#admission.close();
    for (const end of this.#endings) end();
  }
}

function timedOut(seconds: number): ApiError {
  return new ApiError({
    status: 504,
    message: `The request took more than ${seconds} s, waiting included, and was cancelled.`,
    code: 'timeout',
    // OpenAI's clients would ask again by themselves, for as long.
    headers: { 'x-should-retry': 'false' },
  });
}
