import { flattenTree, normals } from '@transfusion/tensor';
import { countParameters, initialise, linearSpec, vector, weight } from './index.js';

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
const specs = {
  embedding: weight([50, 40], 0.02),
  blocks: [{ gain: vector(40, 1) }],
  out: linearSpec({ inputs: 40, outputs: 3, std: 0 }),
};

test('counts every element once', () => expect(countParameters(specs)).toBe(50 * 40 + 40 + 40 * 3 + 3));

describe('initialise', () => {
  test('is a function of the seed', () => {
    const [a, again, other] = [1, 1, 2].map((seed) => flattenTree<Float32Array>(initialise(specs, seed), isArray));
    expect([...a.keys()]).toEqual(['embedding', 'blocks.0.gain', 'out.weight', 'out.bias']);
    expect([...a.values()]).toEqual([...again.values()]);
    expect(a.get('embedding')).not.toEqual(other.get('embedding'));
  });

  test('draws every parameter from a stream of its own', () => {
    const { a, b } = initialise({ a: weight([3, 3], 2), b: weight([3, 3], 2) }, 5);
    expect(a).not.toEqual(b);
    const expected = normals({ seed: Int32Array.of(5, 0, 0, 0), stream: 1, elements: 9 });
    b.forEach((value, i) => expect(value).toBeCloseTo(2 * expected[i], 5));
  });

  test('has the mean and deviation asked for; vectors are constant', () => {
    const { embedding, blocks, out } = initialise(specs, 3);
    const mean = embedding.reduce((sum, x) => sum + x, 0) / embedding.length;
    const deviation = Math.sqrt(embedding.reduce((sum, x) => sum + (x - mean) ** 2, 0) / embedding.length);
    expect(Math.abs(mean)).toBeLessThan(4 * (0.02 / Math.sqrt(2000)));
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(4 / Math.sqrt(2 * 2000));
    expect(new Set(blocks[0].gain)).toEqual(new Set([1]));
    expect([...out.weight, ...out.bias].every((x) => x === 0)).toBe(true);
  });
});
