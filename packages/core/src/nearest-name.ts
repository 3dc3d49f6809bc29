/** @file The name that was meant. */
import { distance as editDistance } from 'fastest-levenshtein';

/** The known name nearest to `name`, whatever the case, if any is near enough to have been meant; of equals the first. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}
