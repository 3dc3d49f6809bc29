/** @file Retrieval where each query has candidates of its own, and may have several right ones. */
import { chanceOf } from '../chance.js';
import { checkCount, mismatch, unmeasurable } from '../errors.js';
import { median, type RetrievalScores } from '../retrieval.js';

export interface PlacesOptions<Name extends string> {
  /** How many there are. */
  queries: number;
  /** Among which candidates a query looks, by their numbers. */
  among: (query: number) => readonly number[];
  /**
   * From a query to a candidate: less is nearer. Where it is more than `limit`, any number above that will do, so that work may be
   * saved.
   */
  distance: (query: number, candidate: number, limit: number) => number;
  /** Which candidates are right, in one sense or another: each has scores of its own. */
  right: Readonly<Record<Name, (query: number, candidate: number) => boolean>>;
}

/**
 * The rank of the nearest right candidate of each query: 1 and as many as are wrong and as near or nearer. So ties count against, and
 * with one right candidate it is the rank of `retrieval`.
 *
 * @throws TransfusionError EVALUATION_VALUE: no queries, a distance that is NaN; EVALUATION_MISMATCH: a query without a right candidate
 */
export function placesAmong<Name extends string>(options: PlacesOptions<Name>): Record<Name, RetrievalScores> {
  const { queries, among, distance } = options;
  checkCount('placesAmong: the number of queries', queries);
  const senses = Object.entries(options.right) as [Name, (query: number, candidate: number) => boolean][];
  const found = senses.map(() => ({ ranks: new Uint32Array(queries), counts: [] as Counts[] }));
  for (let query = 0; query < queries; query++) {
    const candidates = among(query);
    const right = senses.map(([name, isRight]) => {
      const some = candidates.filter((candidate) => isRight(query, candidate));
      if (some.length > 0) return new Set(some);
      throw mismatch(`placesAmong: none of the ${candidates.length} candidates of query ${query} is right (${name})`);
    });
    const measured = (candidate: number, limit = Number.POSITIVE_INFINITY) => {
      const value = distance(query, candidate, limit);
      if (!Number.isNaN(value)) return value;
      throw unmeasurable(`placesAmong: the distance from query ${query} to candidate ${candidate} is NaN`);
    };
    const known = new Map([...new Set(right.flatMap((some) => [...some]))].map((each) => [each, measured(each)]));
    const limits = right.map((some) => Math.min(...[...some].map((each) => known.get(each)!)));
    const widest = Math.max(...limits);
    const nearer = senses.map(() => 0);
    for (const candidate of candidates) {
      const value = known.get(candidate) ?? measured(candidate, widest);
      limits.forEach((limit, i) => {
        if (value <= limit && !right[i].has(candidate)) nearer[i]++;
      });
    }
    found.forEach(({ ranks, counts }, i) => {
      ranks[query] = 1 + nearer[i];
      counts.push({ right: right[i].size, all: candidates.length });
    });
  }
  return Object.fromEntries(senses.map(([name], i) => [name, scoresOf(found[i].ranks, found[i].counts)])) as Record<
    Name,
    RetrievalScores
  >;
}

interface Counts {
  right: number;
  all: number;
}

function scoresOf(ranks: Uint32Array, counts: readonly Counts[]): RetrievalScores {
  const within = (most: number) => ranks.filter((rank) => rank <= most).length / ranks.length;
  const mean = (of: (count: Counts) => number) => counts.reduce((sum, count) => sum + of(count), 0) / counts.length;
  return {
    ranks,
    top1: within(1),
    top5: within(5),
    medianRank: median(ranks),
    chance: {
      top1: mean(({ right, all }) => chanceOf(right, all, 1)),
      top5: mean(({ right, all }) => chanceOf(right, all, 5)),
      // The first of `right` among `all` in random order.
      medianRank: mean(({ right, all }) => (all + 1) / (right + 1)),
    },
  };
}
