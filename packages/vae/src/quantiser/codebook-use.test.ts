import { constant, evaluate, type Tensor, uniforms } from '@transfusion/tensor';
import { codebookUse, countCodes, reviveDeadCodes } from '../index.js';
import { readGolden } from '../testing/fixtures.js';

const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

test('counts, use and perplexity are those that PyTorch finds', () => {
  const golden = readGolden('vq/expected.safetensors');
  const { shape, data } = golden.get('codes')!;
  const counts = values(countCodes(constant(Int32Array.from(data), shape), 24));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(data.length);
  const use = codebookUse(counts);
  expect(use.perplexity).toBeCloseTo(golden.get('perplexity')!.data[0], 4);
  expect(use.used).toBe(new Set(data).size);
  expect(use.share).toBe(use.used / 24);
});

test('perplexity: n codes evenly used have n, one code 1', () => {
  expect(codebookUse([5, 5, 0, 5])).toEqual({ used: 3, share: 0.75, perplexity: expect.closeTo(3, 12) });
  expect(codebookUse([0, 9]).perplexity).toBe(1);
});

describe('dead codes', () => {
  const codebook = constant(Float32Array.of(1, 1, 2, 2, 3, 3, 4, 4), [4, 2]);
  const vectors = constant(
    Float32Array.from({ length: 20 }, (_, i) => 100 + i),
    [2, 5, 2],
  );
  const revive = (counts: number[], seed: number, threshold = 1) => {
    const result = reviveDeadCodes({
      ...{ codebook, vectors, threshold },
      counts: constant(Float32Array.from(counts), [4]),
      seed: constant(Int32Array.of(seed, 0, 0, 0), [4]),
    });
    return { codebook: values(result.codebook), dead: values(result.dead) };
  };

  test('become vectors of the batch, drawn by the seed; the others stay', () => {
    const { codebook: revived, dead } = revive([3, 0, 0.5, 1], 7);
    expect(dead).toEqual([0, 1, 1, 0]);
    expect([...revived.slice(0, 2), ...revived.slice(6)]).toEqual([1, 1, 4, 4]);
    const drawn = uniforms({ seed: Int32Array.of(7, 0, 0, 0), stream: 0, elements: 4 });
    for (const code of [1, 2]) {
      const row = Math.floor(10 * drawn[code]);
      expect(revived.slice(2 * code, 2 * code + 2)).toEqual([100 + 2 * row, 101 + 2 * row]);
    }
    expect(revive([3, 0, 0.5, 1], 7).codebook).toEqual(revived);
    expect(revive([3, 0, 0.5, 1], 8).codebook).not.toEqual(revived);
  });

  test('none, where every code is used or the threshold is 0', () => {
    expect(revive([1, 1, 1, 1], 7).codebook).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    expect(revive([0, 0, 0, 0], 7, 0).codebook).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  });
});
