import { type Backend, flattenTree, normals } from '@transfusion/tensor';
import { countParameters, createParameters, initialise, initialised, linearSpec, vector, weight } from './index.js';

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
const specs = {
  embedding: weight([50, 40], 0.02),
  blocks: [{ gain: vector(40, 1) }],
  out: linearSpec({ inputs: 40, outputs: 3, std: 0 }),
};

function correlation(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test('counts every element once', () => expect(countParameters(specs)).toBe(50 * 40 + 40 + 40 * 3 + 3));

describe('initialise', () => {
  test('is a function of the seed', () => {
    const [a, again, other] = [1, 1, 2].map((seed) => flattenTree<Float32Array>(initialise(specs, seed), isArray));
    expect([...a.keys()]).toEqual(['embedding', 'blocks.0.gain', 'out.weight', 'out.bias']);
    expect([...a.values()]).toEqual([...again.values()]);
    expect(a.get('embedding')).not.toEqual(other.get('embedding'));
  });

  test('draws every parameter from a sequence of its own', () => {
    const { a, b } = initialise({ a: weight([30, 30], 1), b: weight([30, 30], 1) }, 5);
    expect(Math.abs(correlation(a, b))).toBeLessThan(4 / 30);
  });

  test('shares no numbers with the noise that a program draws under the same seed', () => {
    const { a } = initialise({ a: weight([30, 30], 1) }, 5);
    for (const stream of [0, 1, 2]) {
      const noise = normals({ seed: Int32Array.of(5, 0, 0, 0), stream, elements: 900 });
      expect(Math.abs(correlation(a, noise))).toBeLessThan(4 / 30);
    }
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

test('one at a time has the same bits', () => {
  const all = flattenTree<Float32Array>(initialise(specs, 7), isArray);
  const each = new Map([...initialised(specs, 7)].map(({ path, values }) => [path, values()]));
  expect([...each]).toEqual([...all]);
});

test('a parameter that a device has no buffer for is named before anything is allocated', () => {
  const createBuffer = jest.fn();
  const limits = { maxBufferBytes: 4 * 1000 };
  const backend = { limits, createBuffer } as unknown as Backend;
  expect(() => createParameters(backend, { parameters: { norm: vector(40), embedding: weight([50, 40], 1) } })).toThrow(
    'parameters.embedding [50, 40] needs 7.8 KiB; a buffer of this device has at most 3.9 KiB (on WebGPU: maxStorageBufferBindingSize), and a tensor is not split over several',
  );
  expect(createBuffer).not.toHaveBeenCalled();
});
