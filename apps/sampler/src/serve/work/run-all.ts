/** @file Several generations of one request at once, their events in the order in which they come. */
import { setMaxListeners } from 'node:events';

/** Tells events as they come; returns when the work is done. */
export type Work<Event> = (emit: (event: Event) => void, signal: AbortSignal) => Promise<void>;

/**
 * Starts all works. They never wait for whoever reads the events, so that a slow reader holds nothing up. The first failure ends all of
 * them, and so does leaving the loop.
 *
 * @throws what the first that failed threw, after all have ended
 */
export async function* runAll<Event>(
  works: readonly Work<Event>[],
  signal: AbortSignal,
): AsyncGenerator<{ index: number; event: Event }, void> {
  const own = new AbortController();
  const both = AbortSignal.any([signal, own.signal]);
  // Each work listens.
  setMaxListeners(0, both);
  const events: { index: number; event: Event }[] = [];
  let failure: { error: unknown } | undefined;
  let left = works.length;
  let wake = () => {};
  const running = works.map(async (work, index) => {
    try {
      await work((event) => {
        events.push({ index, event });
        wake();
      }, both);
    } catch (error) {
      failure ??= { error };
      own.abort(error);
    } finally {
      left--;
      wake();
    }
  });
  try {
    for (;;) {
      while (events.length > 0 && !failure) yield events.shift()!;
      if (failure || left === 0) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    own.abort(new Error('the reader left'));
    await Promise.all(running);
  }
  if (failure) throw failure.error;
}
