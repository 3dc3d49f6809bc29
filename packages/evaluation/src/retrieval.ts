/** @file Retrieval: does each query find its own among all candidates. */
import { checkCount, mismatch, unmeasurable } from './errors.js';
import { checkAlike, checkFeatures, dot, type Features, squaredDistance, unitRows } from './features.js';

export interface RetrievalScores {
  /** Of each query: 1 where its own candidate is the nearest. */
  ranks: Uint32Array;
  /** Share of queries whose own is nearest, from 0 to 1. */
  top1: number;
  /** Share of queries whose own is among the 5 nearest. */
  top5: number;
  medianRank: number;
  /** What ranks at random would give on average. */
  chance: { top1: number; top5: number; medianRank: number };
}

/**
 * Ranks candidates by their distance from each query. Ties count against: candidates as near as the own one stand before it, so that
 * a network that says the same of all finds nothing. Candidates that are equal to another's own cost ranks: leave doubles out.
 *
 * @param options.own which candidate is each query's own; default: that of the same number
 * @param options.metric default `cosine`, of which lengths do not matter; or `euclidean`
 * @throws TransfusionError EVALUATION_MISMATCH, EVALUATION_VALUE: features that cannot be compared, a row of zeros with `cosine`
 */
export function retrieval(options: {
  queries: Features;
  candidates: Features;
  own?: ArrayLike<number>;
  metric?: 'cosine' | 'euclidean';
}): RetrievalScores {
  const { queries, candidates, own, metric = 'cosine' } = options;
  checkFeatures('retrieval: queries', queries);
  checkFeatures('retrieval: candidates', candidates);
  checkAlike('retrieval', queries, candidates);
  const counts = { queries: queries.count, candidates: candidates.count, own };
  if (metric === 'euclidean') {
    return retrievalByDistance({
      ...counts,
      distance: (query, other) => squaredDistance(queries, query, candidates, other),
    });
  }
  const [from, to] = [unitRows('retrieval: queries', queries), unitRows('retrieval: candidates', candidates)];
  return retrievalByDistance({ ...counts, distance: (query, other) => -dot(from, query, to, other) });
}

/**
 * `retrieval` by any distance.
 *
 * @param options.queries how many there are
 * @param options.candidates how many there are
 * @param options.distance from a query to a candidate, by number: less is nearer
 * @param options.own which candidate is each query's own; default: that of the same number
 * @throws TransfusionError EVALUATION_MISMATCH: a query without a candidate; EVALUATION_VALUE: none, a distance that is NaN
 */
export function retrievalByDistance(options: {
  queries: number;
  candidates: number;
  distance: (query: number, candidate: number) => number;
  own?: ArrayLike<number>;
}): RetrievalScores {
  const { queries, candidates, distance } = options;
  checkCount('retrieval: the number of queries', queries);
  checkCount('retrieval: the number of candidates', candidates);
  const own = checkOwn(options.own ?? Uint32Array.from({ length: queries }, (_, i) => i), queries, candidates);
  const checked = (query: number, candidate: number) => {
    const value = distance(query, candidate);
    if (Number.isNaN(value))
      throw unmeasurable(`retrieval: the distance from query ${query} to candidate ${candidate} is NaN`);
    return value;
  };
  const ranks = Uint32Array.from({ length: queries }, (_, query) => {
    const limit = checked(query, own[query]);
    let rank = 1;
    for (let other = 0; other < candidates; other++) {
      if (other !== own[query] && checked(query, other) <= limit) rank++;
    }
    return rank;
  });
  const within = (most: number) => ranks.filter((rank) => rank <= most).length / queries;
  return {
    ranks,
    top1: within(1),
    top5: within(5),
    medianRank: median(ranks),
    chance: { top1: 1 / candidates, top5: Math.min(1, 5 / candidates), medianRank: (candidates + 1) / 2 },
  };
}

function checkOwn(own: ArrayLike<number>, queries: number, candidates: number): ArrayLike<number> {
  if (own.length !== queries) throw mismatch(`retrieval: own has ${own.length} numbers, there are ${queries} queries`);
  const wrong = Array.from(own).findIndex((index) => !(Number.isInteger(index) && index >= 0 && index < candidates));
  if (wrong < 0) return own;
  throw mismatch(
    `retrieval: query ${wrong}'s own candidate is ${own[wrong]}, of ${candidates} candidates`,
    'number candidates from 0, and give `own` where query i is not that of candidate i',
  );
}

/** Between the two middle ones of an even number. */
export function median(ranks: Uint32Array): number {
  const sorted = ranks.slice().sort();
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}
