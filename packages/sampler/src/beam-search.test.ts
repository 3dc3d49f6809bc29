import { PhiloxStream } from '@transfusion/tensor';
import { type Beam, BeamRows, BeamSearch } from './beam-search.js';

const EOS = 0;

/** A language of `vocabulary` tokens: logits that depend on all that came before. */
function language(seed: number, vocabulary: number): (ids: readonly number[]) => Float32Array {
  return (ids) => {
    const stream = new PhiloxStream(
      seed,
      ids.reduce((hash, id) => hash * vocabulary + id + 1, 0),
    );
    // The end is never taken by chance alone after a few tokens.
    return Float32Array.from(
      { length: vocabulary },
      (_, id) => 1.5 * stream.normal() + (id === EOS ? ids.length - 1 : 0),
    );
  };
}

function logProbabilities(logits: Float32Array): number[] {
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return [...logits].map((logit) => logit - total);
}

/** Every sequence that ends, or is cut. */
function all(
  next: (ids: readonly number[]) => Float32Array,
  maxTokens: number,
  ids: number[] = [],
  logProbability = 0,
): { ids: number[]; logProbability: number }[] {
  return logProbabilities(next(ids)).flatMap((own, id) => {
    const sum = logProbability + own;
    if (id === EOS) return [{ ids, logProbability: sum }];
    const longer = [...ids, id];
    return longer.length === maxTokens ? [{ ids: longer, logProbability: sum }] : all(next, maxTokens, longer, sum);
  });
}

function search(next: (ids: readonly number[]) => Float32Array, beams: number, maxTokens: number) {
  const found = new BeamSearch({ beams, eos: EOS, maxTokens });
  const rows = new BeamRows(10, beams);
  const held = new Map<number, readonly number[]>(rows.all.map((row) => [row, []]));
  while (found.live.length > 0) {
    found.step(rows.ofBeams.map((row) => next(held.get(row)!)));
    expect(found.live.length).toBeLessThanOrEqual(beams);
    for (const { row, kept, ids } of rows.move(found.live)) {
      expect(ids.length).toBeGreaterThan(0);
      held.set(row, [...held.get(row)!.slice(0, kept), ...ids]);
    }
    expect(rows.ofBeams.map((row) => held.get(row))).toEqual(found.live.map(({ ids }) => ids));
    expect(new Set(rows.ofBeams).size).toBe(rows.ofBeams.length);
  }
  return found.ended[0];
}

test('as many beams as there are sequences find the most likely of all', () => {
  for (let seed = 0; seed < 20; seed++) {
    const next = language(seed, 4);
    const [first] = all(next, 4).sort((a, b) => b.logProbability - a.logProbability);
    const best = search(next, 81, 4);
    expect(best.ids).toEqual(first.ids);
    expect(best.logProbability).toBeCloseTo(first.logProbability, 10);
  }
});

test('keeps as many as are asked for: the most likely of all, in their order', () => {
  for (let seed = 0; seed < 20; seed++) {
    const next = language(seed, 4);
    const found = new BeamSearch({ beams: 81, eos: EOS, maxTokens: 4, kept: 10 });
    while (found.live.length > 0) found.step(found.live.map(({ ids }) => next(ids)));
    const first = all(next, 4)
      .sort((a, b) => b.logProbability - a.logProbability)
      .slice(0, 10);
    expect(found.ended.map(({ ids }) => ids)).toEqual(first.map(({ ids }) => ids));
  }
});

test('one beam takes the most likely token each time; more find nothing less likely on average', () => {
  const sums = [0, 0];
  for (let seed = 0; seed < 60; seed++) {
    const next = language(seed, 9);
    const greedy: number[] = [];
    while (greedy.length < 6) {
      const logits = next(greedy);
      const id = logits.indexOf(Math.max(...logits));
      if (id === EOS) break;
      greedy.push(id);
    }
    const one = search(next, 1, 6);
    expect(one.ids).toEqual(greedy);
    sums[0] += one.logProbability;
    sums[1] += search(next, 4, 6).logProbability;
  }
  expect(sums[1]).toBeGreaterThan(sums[0] + 10);
});

test('tokens that must not come never do, and of equals the lower id comes first', () => {
  const next = (ids: readonly number[]) =>
    Float32Array.of(ids.length >= 2 ? 5 : Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 1);
  expect(search(next, 3, 5).ids).toEqual([2, 2]);
});

test('what ends has at least so many tokens', () => {
  const next = () => Float32Array.of(9, 1, 0);
  for (const minTokens of [0, 1, 3]) {
    const found = new BeamSearch({ beams: 2, eos: EOS, minTokens, maxTokens: 5 });
    while (found.live.length > 0) found.step(found.live.map(next));
    expect(found.ended[0].ids).toEqual(new Array(minTokens).fill(1));
  }
});

test('a row goes to one child of its beam', () => {
  const rows = new BeamRows(0, 3);
  const beam = (parent: number, ...ids: number[]): Beam => ({ parent, ids, logProbability: 0 });
  expect(rows.move([beam(0, 5), beam(0, 6)])).toEqual([
    { row: 0, kept: 0, ids: [5] },
    { row: 1, kept: 0, ids: [6] },
  ]);
  expect(rows.move([beam(1, 6, 1), beam(1, 6, 2), beam(0, 5, 3)])).toEqual([
    { row: 1, kept: 1, ids: [1] },
    { row: 2, kept: 0, ids: [6, 2] },
    { row: 0, kept: 1, ids: [3] },
  ]);
  expect(rows.move([beam(0, 6, 1, 9), beam(0, 6, 1, 8)])).toEqual([
    { row: 1, kept: 2, ids: [9] },
    { row: 0, kept: 0, ids: [6, 1, 8] },
  ]);
});
