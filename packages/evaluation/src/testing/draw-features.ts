/** @file Features to test with: drawn by a seed, and turned. */
import { type Features, featuresOf } from '../features.js';

/** Uniform in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Independent, normal: mean `shift`, deviation `scale`. */
export function normalFeatures(options: {
  count: number;
  dimensions: number;
  seed: number;
  shift?: number;
  scale?: number;
}): Features {
  const { count, dimensions, seed, shift = 0, scale = 1 } = options;
  const uniform = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { count, dimensions, data: Float64Array.from({ length: count * dimensions }, () => shift + scale * normal()) };
}

/** Every row turned by the same rotation, made of one in each plane of two neighbouring axes. */
export function rotated({ count, dimensions, data }: Features, seed: number): Features {
  const uniform = random(seed);
  const turned = Float64Array.from(data);
  for (let d = 0; d + 1 < dimensions; d++) {
    const angle = 2 * Math.PI * uniform();
    for (let i = 0; i < count; i++) {
      const at = i * dimensions + d;
      const [x, y] = [turned[at], turned[at + 1]];
      turned[at] = Math.cos(angle) * x - Math.sin(angle) * y;
      turned[at + 1] = Math.sin(angle) * x + Math.cos(angle) * y;
    }
  }
  return { count, dimensions, data: turned };
}

/** Two sets of a fixture. */
export function pair(sets: readonly number[][][]): [Features, Features] {
  return [featuresOf(sets[0]), featuresOf(sets[1])];
}
