import { normals, PhiloxStream, philox4x32, uniforms } from './philox.js';

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');

/** The algorithm again, in 64-bit integers. */
function philoxReference(counter: number[], key: number[]): bigint[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const product0 = 0xd2511f53n * c0;
    const product1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & mask, (product0 >> 32n) ^ c3 ^ k1, product0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3];
}

describe('philox4x32', () => {
  // Known answers published with Random123 (kat_vectors).
  test.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('counter %p, key %p', (counter, key, expected) => {
    expect(hex(philox4x32(counter, key))).toBe(expected);
  });

  test('agrees with 64-bit integer arithmetic', () => {
    const stream = new PhiloxStream(7);
    for (let i = 0; i < 200; i++) {
      const words = Array.from({ length: 6 }, () => stream.word());
      const got = philox4x32(words.slice(0, 4), words.slice(4));
      expect([...got].map(BigInt)).toEqual(philoxReference(words.slice(0, 4), words.slice(4)));
    }
  });

  test('reads the bits of signed words', () => {
    expect(hex(philox4x32(new Int32Array(4).fill(-1), new Int32Array(2).fill(-1)))).toBe(
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    );
  });
});

describe('uniforms and normals', () => {
  const seed = new Int32Array([5, -6, 7, -8]);

  test('follow the definition of RandomKernel, also where elements is no multiple of 4', () => {
    const u = uniforms({ seed, stream: 3, elements: 10 });
    const z = normals({ seed, stream: 3, elements: 10 });
    for (let i = 0; i < 10; i++) {
      const words = philoxReference([i >> 2, 3, 7, -8 >>> 0], [5, -6 >>> 0]).map(Number);
      expect(u[i]).toBe(Math.fround((words[i & 3] >>> 8) / 2 ** 24));
      const first = (i & 3) < 2 ? 0 : 2;
      const radius = Math.sqrt(-2 * Math.log(((words[first] >>> 8) + 1) / 2 ** 24));
      const angle = (2 * Math.PI * (words[first + 1] >>> 8)) / 2 ** 24;
      expect(z[i]).toBe(Math.fround(radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle))));
    }
  });

  test('have the moments and tails of their distributions', () => {
    const n = 200_000;
    const moment = (x: Float32Array, power: number) => x.reduce((sum, value) => sum + value ** power, 0) / n;
    const u = uniforms({ seed, stream: 0, elements: n });
    expect(moment(u, 1)).toBeCloseTo(1 / 2, 2);
    expect(moment(u, 2)).toBeCloseTo(1 / 3, 2);
    const z = normals({ seed, stream: 0, elements: n });
    expect(Math.abs(moment(z, 1))).toBeLessThan(0.01);
    expect(Math.abs(moment(z, 2) - 1)).toBeLessThan(0.015);
    expect(Math.abs(moment(z, 4) - 3)).toBeLessThan(0.12);
    const beyondTwo = z.reduce((count, value) => count + (Math.abs(value) > 2 ? 1 : 0), 0) / n;
    expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan(0.002);
  });
});

describe('PhiloxStream', () => {
  test('is a pure function of seed and counters', () => {
    const draw = (seed: number, ...counters: number[]) => {
      const stream = new PhiloxStream(seed, ...counters);
      return Array.from({ length: 9 }, () => stream.word());
    };
    expect(draw(1, 2, 3)).toEqual(draw(1, 2, 3));
    const different = [draw(1), draw(2), draw(2 ** 32 + 1), draw(1, 1), draw(1, 0, 1), draw(1, 0, 0, 1)];
    expect(new Set(different.map((words) => words.join())).size).toBe(different.length);
  });

  test('normal() is the sequence of normals()', () => {
    const stream = new PhiloxStream(5 + 9 * 2 ** 32, 3, 7, 11);
    const expected = normals({ seed: new Int32Array([5, 9, 7, 11]), stream: 3, elements: 15 });
    expect(Array.from(expected, () => Math.fround(stream.normal()))).toEqual([...expected]);
  });

  test('integer is uniform and shuffle gives every order equally often', () => {
    const stream = new PhiloxStream(3);
    const counts = new Map<string, number>();
    const rounds = 24_000;
    for (let i = 0; i < rounds; i++) {
      const order = stream.shuffle([0, 1, 2, 3]).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    let chiSquared = 0;
    for (const count of counts.values()) chiSquared += (count - rounds / 24) ** 2 / (rounds / 24);
    // 23 degrees of freedom: 49.7 is the 0.999 quantile.
    expect(chiSquared).toBeLessThan(49.7);
    expect(stream.integer(1)).toBe(0);
    expect(stream.integer(2 ** 32)).toBeLessThan(2 ** 32);
  });

  test('refuses what it cannot honour', () => {
    expect(() => new PhiloxStream(-1)).toThrow('RANDOM_SEED_RANGE');
    expect(() => new PhiloxStream(0.5)).toThrow('RANDOM_SEED_RANGE');
    expect(() => new PhiloxStream(1, 2, 3, 4, 5)).toThrow('RANDOM_COUNTER_RANGE');
    expect(() => new PhiloxStream(1, -1)).toThrow('RANDOM_COUNTER_RANGE');
    expect(() => new PhiloxStream(1).integer(0)).toThrow('RANDOM_INTEGER_RANGE');
    expect(() => normals({ seed: new Int32Array(2), stream: 0, elements: 1 })).toThrow('RANDOM_SEED_SHAPE');
  });
});
