/** @file Sinusoidal embedding of diffusion timesteps. */
import { concat, constant, type Tensor } from '@transfusion/tensor';

/** Angular frequencies 10000^(-i / half) of the embedding's halves (Ho et al. 2020, as in DiT). */
export function timestepFrequencies(dimensions: number, base = 10_000): Float32Array {
  const half = dimensions / 2;
  return Float32Array.from({ length: half }, (_, i) => Math.exp((-Math.log(base) * i) / half));
}

/** cos and sin of timesteps [...] times the frequencies: [..., dimensions], cosines first. */
export function sinusoidalEmbedding(timesteps: Tensor, dimensions: number): Tensor {
  const frequencies = constant(timestepFrequencies(dimensions), [dimensions / 2]);
  const angles = timesteps.reshape([...timesteps.shape, 1]).mul(frequencies);
  return concat([angles.cos(), angles.sin()], -1);
}
