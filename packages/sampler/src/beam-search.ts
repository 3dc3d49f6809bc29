/** @file The most likely continuations of sequences, as far as a search finds them that goes on with the best few. */
import { greedyToken } from './choose-token.js';

/** Tokens behind what a sequence began with. */
export interface Continuation {
  ids: readonly number[];
  /** Of all its tokens together, the end included, in nats. */
  logProbability: number;
}

/** A sequence to go on with, and from which of those before it came. */
export interface Beam extends Continuation {
  parent: number;
}

export interface BeamOptions {
  /** How many go on; 1: the most likely token each time. */
  beams: number;
  eos: number;
  /** Of what ends; default 0. */
  minTokens?: number;
  /** Longer ones are cut. */
  maxTokens: number;
  /** How many that ended are kept; default 1. */
  kept?: number;
}

/** The search behind one sequence. Of equally likely ones the first stays, of tokens that with the lower id. */
export class BeamSearch {
  readonly #options: BeamOptions;
  #live: Beam[] = [{ ids: [], logProbability: 0, parent: 0 }];
  #ended: Continuation[] = [];

  constructor(options: BeamOptions) {
    this.#options = options;
  }

  /** Those that go on, the most likely first: one before the first step, none once the search is over. */
  get live(): readonly Beam[] {
    return this.#live;
  }

  /** The most likely that ended, the most likely first. */
  get ended(): readonly Continuation[] {
    return this.#ended;
  }

  /**
   * @param logits of each that goes on, [vocabulary]; -Infinity for a token that must not come
   * @throws TransfusionError SAMPLER_LOGITS
   */
  step(logits: readonly Float32Array[]): void {
    const { beams, eos, minTokens = 0, maxTokens, kept = 1 } = this.#options;
    const longer = this.#live.flatMap(({ ids, logProbability }, parent) =>
      likeliest(ids.length < minTokens ? without(eos, logits[parent]) : logits[parent], beams).map(
        ({ id, logProbability: own }) => {
          return { id, parent, ids, logProbability: logProbability + own };
        },
      ),
    );
    longer.sort((a, b) => b.logProbability - a.logProbability || a.parent - b.parent || a.id - b.id);
    const live: Beam[] = [];
    for (const { id, parent, ids, logProbability } of longer.slice(0, beams)) {
      if (id === eos) this.#end({ ids, logProbability });
      else {
        const beam = { ids: [...ids, id], logProbability, parent };
        if (beam.ids.length === maxTokens) this.#end(beam);
        else live.push(beam);
      }
    }
    // Probabilities only shrink: what is less likely already stays so.
    const least = this.#ended[kept - 1]?.logProbability ?? Number.NEGATIVE_INFINITY;
    this.#live = live.filter(({ logProbability }) => logProbability > least);
  }

  #end(continuation: Continuation): void {
    const { kept = 1 } = this.#options;
    // Of equals the one that ended first.
    const place = this.#ended.findIndex(({ logProbability }) => logProbability < continuation.logProbability);
    this.#ended.splice(place < 0 ? this.#ended.length : place, 0, continuation);
    this.#ended.length = Math.min(this.#ended.length, kept);
  }
}

function without(id: number, logits: Float32Array): Float32Array {
  const others = logits.slice();
  others[id] = Number.NEGATIVE_INFINITY;
  return others;
}

/** Which rows of a batch hold what a search goes on with. */
export class BeamRows {
  readonly all: readonly number[];
  /** Of each that goes on, in their order. */
  ofBeams: readonly number[];
  /** Token ids that rows have behind what all began with. */
  readonly #held = new Map<number, readonly number[]>();

  /** So many rows from `first` on; the first search step looks at the first. */
  constructor(first: number, count: number) {
    this.all = Array.from({ length: count }, (_, i) => first + i);
    this.ofBeams = [first];
  }

  /** Gives each beam a row, that of its parent if no other has it: it keeps its first `kept` tokens, and `ids` have to follow. */
  move(live: readonly Beam[]): { row: number; kept: number; ids: readonly number[] }[] {
    const free = new Set(this.all);
    const inherited = live.map(({ parent }) => {
      const row = this.ofBeams[parent];
      return free.delete(row) ? row : undefined;
    });
    this.ofBeams = inherited.map((own) => {
      if (own !== undefined) return own;
      const [row] = free;
      free.delete(row);
      return row;
    });
    return live.map(({ ids }, beam) => {
      const row = this.ofBeams[beam];
      const held = this.#held.get(row) ?? [];
      const differs = ids.findIndex((id, i) => id !== held[i]);
      this.#held.set(row, ids);
      return { row, kept: differs, ids: ids.slice(differs) };
    });
  }
}

/** The `count` most likely tokens with their logarithms of probabilities, of equals the lower id first. */
function likeliest(logits: Float32Array, count: number): { id: number; logProbability: number }[] {
  const first = greedyToken(logits);
  const greatest = logits[first];
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0)) + greatest;
  const found = [first];
  // A few of many: looked for one after the other.
  while (found.length < count) {
    let next = -1;
    for (let id = 0; id < logits.length; id++) {
      if (logits[id] === Number.NEGATIVE_INFINITY || found.includes(id)) continue;
      if (next < 0 || logits[id] > logits[next]) next = id;
    }
    if (next < 0) break;
    found.push(next);
  }
  return found.map((id) => ({ id, logProbability: logits[id] - total }));
}
