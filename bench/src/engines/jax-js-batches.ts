/** @file Many runs in jax-js without waiting for each. */
import type { numpy } from '@jax-js/jax';
import type { EngineApis } from './engine.js';

/** Results that may be held at a time. */
const MOST_RESULTS = 16;

/** Starts the work `times` times and returns when all of it is done. A result that is let go before it is done is not computed. */
export async function runInBatches(jax: EngineApis['jax-js']['jax'], times: number, start: () => numpy.Array) {
  for (let left = times; left > 0; left -= MOST_RESULTS) {
    const results = Array.from({ length: Math.min(left, MOST_RESULTS) }, start);
    await jax.blockUntilReady(results);
    for (const result of results) result.dispose();
  }
}
