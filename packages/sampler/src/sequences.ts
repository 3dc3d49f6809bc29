/** @file What writing and drawing need of sequences, whether they have a batch of their own or share one. */
import type { LatentShape } from '@transfusion/vae';
import type { BeginImagesOptions, Denoising } from './denoising.js';

/** What writing and drawing need of a batch of growing sequences; `SequenceBatch` says what each does. */
export interface Sequences {
  length(row: number): number;
  clear(row?: number): void;
  truncate(row: number, length: number): void;
  appendTokens(tokens: ReadonlyMap<number, readonly number[]>): Promise<Map<number, Float32Array>>;
  appendTokensAlone(row: number, tokens: readonly number[]): Promise<Float32Array>;
  appendImages(latents: ReadonlyMap<number, Float32Array>, latent: LatentShape): Promise<void>;
  beginImages(options: BeginImagesOptions): Promise<Denoising>;
}
