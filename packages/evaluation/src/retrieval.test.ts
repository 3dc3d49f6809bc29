import fc from 'fast-check';
import golden from '../fixtures/metrics.json';
import { featuresOf, retrieval, retrievalByDistance, textImageAgreement } from './index.js';
import { normalFeatures, random } from './testing/draw-features.js';

describe('retrieval', () => {
  const queries = featuresOf(golden.retrieval.queries);
  const candidates = featuresOf(golden.retrieval.candidates);

  test.each(golden.retrieval.scores)('agrees with numpy, $metric', ({ metric, ranks, medianRank }) => {
    const scores = retrieval({ queries, candidates, own: golden.retrieval.own, metric: metric as 'cosine' });
    expect([...scores.ranks]).toEqual(ranks);
    expect(scores.medianRank).toBe(medianRank);
    expect(scores.top1).toBeCloseTo(ranks.filter((rank) => rank === 1).length / 12, 12);
    expect(scores.top5).toBeCloseTo(ranks.filter((rank) => rank <= 5).length / 12, 12);
    expect(scores.chance).toEqual({ top1: 1 / 20, top5: 1 / 4, medianRank: 10.5 });
  });

  test('cosine is the default, and knows no lengths', () => {
    const own = golden.retrieval.own;
    const longer = {
      ...candidates,
      data: candidates.data.map((value, i) => value * (1 + Math.floor(i / 5))) as Float64Array,
    };
    const expected = retrieval({ queries, candidates, own, metric: 'cosine' });
    expect(retrieval({ queries, candidates: longer, own })).toEqual(expected);
  });

  test('ranks are the places after sorting, ties last', () => {
    const table = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 6, maxLength: 6 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(table, (distances) => {
        const { ranks } = retrievalByDistance({
          queries: distances.length,
          candidates: 6,
          distance: (query, candidate) => distances[query][candidate],
        });
        distances.forEach((row, query) => {
          expect(ranks[query]).toBe([...row].sort((a, b) => a - b).lastIndexOf(row[query]) + 1);
        });
      }),
    );
  });

  test('what is the same for all finds nothing', () => {
    const same = featuresOf([
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    for (const metric of ['cosine', 'euclidean'] as const) {
      const { top1, top5, medianRank } = retrieval({ queries: same, candidates: same, metric });
      expect({ top1, top5, medianRank }).toEqual({ top1: 0, top5: 0, medianRank: 6 });
    }
  });

  test('at random, ranks are as chance says', () => {
    const uniform = random(1);
    const { top1, top5, medianRank, chance } = retrievalByDistance({
      queries: 40,
      candidates: 20,
      distance: uniform,
      own: new Uint8Array(40),
    });
    expect(chance).toEqual({ top1: 0.05, top5: 0.25, medianRank: 10.5 });
    // Three standard deviations of 40 draws.
    expect(Math.abs(top1 - 0.05)).toBeLessThan(3 * Math.sqrt((0.05 * 0.95) / 40));
    expect(Math.abs(top5 - 0.25)).toBeLessThan(3 * Math.sqrt((0.25 * 0.75) / 40));
    expect(Math.abs(medianRank - 10.5)).toBeLessThan(4.5);
  });

  test('what cannot be ranked is refused', () => {
    expect(() => retrieval({ queries, candidates, own: [1] })).toThrow(/own has 1 numbers, there are 12 queries/);
    expect(() => retrieval({ queries: candidates, candidates: queries })).toThrow(
      /query 12's own candidate is 12, of 12/,
    );
    expect(() => retrieval({ queries: featuresOf([[0, 0]]), candidates: featuresOf([[1, 0]]) })).toThrow(
      /row 0 is all zeros/,
    );
    expect(() => retrievalByDistance({ queries: 1, candidates: 2, distance: (_, c) => (c ? Number.NaN : 0) })).toThrow(
      /from query 0 to candidate 1 is NaN/,
    );
  });
});

describe('textImageAgreement', () => {
  test('by hand: 100 times the cosine, opposite ones 0', () => {
    const images = featuresOf([
      [3, 4],
      [1, 0],
      [0, 2],
    ]);
    const texts = featuresOf([
      [4, 3],
      [-1, 1e-3],
      [0, 1e-200],
    ]);
    const { score, scores } = textImageAgreement({ images, texts });
    expect(scores[0]).toBeCloseTo(96, 12);
    expect(scores[1]).toBe(0);
    expect(scores[2]).toBeCloseTo(100, 12);
    expect(score).toBeCloseTo(196 / 3, 12);
  });

  test('does not change with lengths', () => {
    const images = normalFeatures({ count: 5, dimensions: 6, seed: 1 });
    const texts = normalFeatures({ count: 5, dimensions: 6, seed: 2 });
    const longer = { ...texts, data: texts.data.map((value) => value * 1e200) as Float64Array };
    const { scores } = textImageAgreement({ images, texts });
    textImageAgreement({ images, texts: longer }).scores.forEach((score, i) => {
      expect(score).toBeCloseTo(scores[i], 10);
    });
  });

  test('pairs that are none are refused', () => {
    const [one, two] = [
      featuresOf([[1, 2]]),
      featuresOf([
        [1, 2],
        [3, 4],
      ]),
    ];
    expect(() => textImageAgreement({ images: one, texts: two })).toThrow(/1 images and 2 texts/);
  });
});
