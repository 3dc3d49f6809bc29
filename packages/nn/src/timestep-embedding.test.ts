import { constant, evaluate } from '@transfusion/tensor';
import { sinusoidalEmbedding, timestepFrequencies } from './index.js';

describe('sinusoidalEmbedding', () => {
  // Ho et al. 2020 as in DiT: cosines first, base 10,000, 8 wide; computed in f64 elsewhere. The graph's frequencies are f32.
  test.each([
    [
      10,
      [
        -0.8390715291, 0.5403023059, 0.9950041653, 0.9999500004, -0.5440211109, 0.8414709848, 0.0998334166,
        0.0099998333,
      ],
    ],
    [
      999,
      [
        0.999649853, 0.8074586577, -0.8444696963, 0.5411435066, -0.0264607527, -0.5899241613, -0.5356033346,
        0.8409302619,
      ],
    ],
  ])('of timestep %d', (timestep, expected) => {
    const embedding = sinusoidalEmbedding(constant(Float32Array.of(timestep), [1]), 8);
    expect(embedding.shape).toEqual([1, 8]);
    const [values] = evaluate([embedding], new Map());
    expected.forEach((value, i) => expect(Math.abs(values[i] - value)).toBeLessThan(2e-5));
  });

  test('frequencies fall from 1 to nearly 1 / base, geometrically', () => {
    const frequencies = timestepFrequencies(8);
    [1, 0.1, 0.01, 0.001].forEach((value, i) => expect(Math.abs(frequencies[i] / value - 1)).toBeLessThan(1e-6));
    expect(timestepFrequencies(4, 100)[1]).toBeCloseTo(0.1, 6);
  });

  test('one row per timestep', () => {
    const embedding = sinusoidalEmbedding(constant(Float32Array.of(0, 10, 20), [3]), 4);
    expect(embedding.shape).toEqual([3, 4]);
    expect([...evaluate([embedding], new Map())[0].slice(0, 4)]).toEqual([1, 1, 0, 0]);
  });
});
