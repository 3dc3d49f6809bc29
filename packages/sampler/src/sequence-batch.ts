/** @file A batch of growing sequences whose keys and values stay on the device. */
import { nextTask, TransfusionError } from '@transfusion/core';
import { patchCount } from '@transfusion/data';
import { type Backend, createVariable, type Variable } from '@transfusion/tensor';
import type { ModelConfig, TransfusionParameters } from '@transfusion/transformer';
import type { LatentShape } from '@transfusion/vae';
import { Denoiser } from './denoiser.js';
import { Kept } from './kept.js';
import {
  type CacheVariables,
  compilePatchFunction,
  compileTokenFunction,
  type PatchFunction,
  type TokenFunction,
} from './model-functions.js';
import { PositionArrays } from './position-arrays.js';

export interface SequenceBatchOptions {
  backend: Backend;
  config: ModelConfig;
  parameters: TransfusionParameters<Variable>;
  /** Size of a latent image. */
  latent: LatentShape;
  /** Sequences. */
  rows: number;
  /** Positions that a sequence may have. */
  capacity: number;
}

/** Prompts are read in pieces of at most so many positions, to bound the memory of one call. */
const MOST_QUERIES = 256;
const LEAST_PADDED_QUERIES = 8;

/**
 * Rows of sequences, each of its own length; all begin empty. Calls must not overlap. Before each run of the model the
 * event loop has a turn, so that work can be cancelled.
 *
 * What is before an image never changes while it is denoised (attention is causal there), so its keys and values are
 * kept; those of the image are overwritten by every step.
 */
export class SequenceBatch {
  readonly rows: number;
  readonly capacity: number;
  readonly #options: SequenceBatchOptions;
  readonly #patches: number;
  readonly #layers: CacheVariables;
  readonly #lengths: number[];
  /** By batch and queries. */
  readonly #tokenFunctions = new Kept<TokenFunction>();
  readonly #patchFunctions = new Kept<PatchFunction>();
  readonly #denoisers = new Kept<Denoiser>();

  /** @throws OutOfMemoryError */
  constructor(options: SequenceBatchOptions) {
    const { rows, capacity } = options;
    this.#options = options;
    this.#patches = patchCount(options.latent, options.config.patchSize);
    this.rows = rows;
    this.capacity = capacity;
    this.#lengths = new Array<number>(rows).fill(0);
    this.#layers = createCache(options);
  }

  /** Positions of a sequence so far. */
  length(row: number): number {
    return this.#lengths[row];
  }

  /** Empties all sequences. */
  clear(): void {
    this.#lengths.fill(0);
  }

  /**
   * Appends tokens, at least one each, to any of the sequences, in one batch.
   *
   * @returns the next-token logits [vocabulary] after the last of them, by row
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  async appendTokens(tokens: ReadonlyMap<number, readonly number[]>): Promise<Map<number, Float32Array>> {
    return this.#append(tokens, this.rows);
  }

  /** `appendTokens` to one sequence, at the cost of one. */
  async appendTokensAlone(row: number, tokens: readonly number[]): Promise<Float32Array> {
    return (await this.#append(new Map([[row, tokens]]), 1)).get(row)!;
  }

  /**
   * The model's prediction for one image per row, noised to `timestep`, that stands at the end of the row's sequence. The
   * sequences do not grow.
   *
   * @param latents [height, width, channels], by row
   * @returns like `latents`
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  async predictImages(
    latents: ReadonlyMap<number, Float32Array>,
    timestep: number,
  ): Promise<Map<number, Float32Array>> {
    const { height, width, channels } = this.#options.latent;
    const values = height * width * channels;
    const places = this.#imagePositions([...latents.keys()]);
    const input = new Float32Array(this.rows * values);
    for (const [row, image] of latents) input.set(image, row * values);
    const predict = await this.#patchFunctions.get('', () =>
      compilePatchFunction({ ...this.#options, layers: this.#layers, batch: this.rows }),
    );
    await nextTask();
    const timesteps = new Float32Array(this.rows).fill(timestep);
    const { prediction } = await predict.run({ ...places.arrays, latents: input, timesteps });
    return new Map([...latents.keys()].map((row) => [row, prediction.slice(row * values, (row + 1) * values)]));
  }

  /**
   * Begins to denoise images that stand at the end of the first sequences, one each, in the order of `noise`. The sequences
   * do not grow, and must not while the images are denoised.
   *
   * @param options.guided image i has its unconditional context at the end of sequence `rows / 2 + i`
   * @param options.noise pure noise, [height, width, channels] of each image
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  async beginImages({ guided, noise }: { guided: boolean; noise: readonly Float32Array[] }): Promise<Denoiser> {
    const rows = noise.flatMap((_, i) => (guided ? [i, this.rows / 2 + i] : [i]));
    const places = this.#imagePositions(rows);
    const denoiser = await this.#denoisers.get(guided ? 'guided' : '', () =>
      Denoiser.open({ ...this.#options, layers: this.#layers, batch: this.rows, guided }),
    );
    denoiser.begin(noise, places);
    return denoiser;
  }

  /** Appends clean images: context for what follows, at timestep 0 (the cleanest that training knows). */
  async appendImages(latents: ReadonlyMap<number, Float32Array>): Promise<void> {
    await this.predictImages(latents, 0);
    for (const row of latents.keys()) this.#lengths[row] += this.#patches;
  }

  dispose(): void {
    for (const kept of [this.#tokenFunctions, this.#patchFunctions, this.#denoisers]) kept.dispose();
    for (const { key, value } of this.#layers) {
      key.destroy();
      value.destroy();
    }
  }

  async #append(tokens: ReadonlyMap<number, readonly number[]>, batch: number): Promise<Map<number, Float32Array>> {
    for (const [row, ids] of tokens) this.#checkRoom(row, ids.length);
    const longest = Math.max(0, ...[...tokens.values()].map((ids) => ids.length));
    const logits = new Map<number, Float32Array>();
    for (let from = 0; from < longest; from += MOST_QUERIES) {
      const pieces = [...tokens].map(([row, ids]) => [row, ids.slice(from, from + MOST_QUERIES)] as const);
      const present = new Map(pieces.filter(([, ids]) => ids.length > 0));
      for (const [row, rowLogits] of await this.#readTokens(present, batch)) logits.set(row, rowLogits);
    }
    return logits;
  }

  /** One call. A batch of 1 is for one row of the cache, whichever. */
  async #readTokens(tokens: ReadonlyMap<number, readonly number[]>, batch: number): Promise<Map<number, Float32Array>> {
    const queries = paddedQueries(Math.max(...[...tokens.values()].map((ids) => ids.length)));
    const places = new PositionArrays(batch, queries);
    const ids = new Int32Array(batch * queries).fill(-1);
    const last = new Int32Array(batch);
    const slot = (row: number) => (batch === this.rows ? row : 0);
    for (const [row, appended] of tokens) {
      const begin = this.#keyBase(row, batch);
      appended.forEach((id, i) => {
        const position = this.#lengths[row] + i;
        const end = begin + position + 1;
        places.set(slot(row) * queries + i, { position, begin, end, cacheRow: row * this.capacity + position });
        ids[slot(row) * queries + i] = id;
      });
      last[slot(row)] = slot(row) * queries + appended.length - 1;
    }
    const read = await this.#tokenFunctions.get(`${batch}x${queries}`, () =>
      compileTokenFunction({ ...this.#options, layers: this.#layers, batch, queries }),
    );
    await nextTask();
    const { logits } = await read.run({ ...places.arrays, tokens: ids, last });
    const vocabulary = this.#options.config.vocabularySize;
    for (const [row, appended] of tokens) this.#lengths[row] += appended.length;
    return new Map(
      [...tokens.keys()].map((row) => [row, logits.slice(slot(row) * vocabulary, (slot(row) + 1) * vocabulary)]),
    );
  }

  /** Where images at the end of the rows' sequences are. @throws TransfusionError SAMPLER_CONTEXT_FULL */
  #imagePositions(rows: readonly number[]): PositionArrays {
    const patches = this.#patches;
    const places = new PositionArrays(this.rows, patches);
    for (const row of rows) {
      this.#checkRoom(row, patches);
      const begin = this.#keyBase(row, this.rows);
      const end = begin + this.#lengths[row] + patches;
      for (let i = 0; i < patches; i++) {
        const position = this.#lengths[row] + i;
        places.set(row * patches + i, { position, begin, end, cacheRow: row * this.capacity + position });
      }
    }
    return places;
  }

  /** Index of a row's first key, as a call for `batch` sequences counts keys. */
  #keyBase(row: number, batch: number): number {
    return batch === this.rows ? 0 : row * this.capacity;
  }

  #checkRoom(row: number, positions: number): void {
    const needed = this.#lengths[row] + positions;
    if (needed <= this.capacity) return;
    throw new TransfusionError({
      code: 'SAMPLER_CONTEXT_FULL',
      message: `sequence ${row} would have ${needed} positions, there is room for ${this.capacity}`,
    });
  }
}

function createCache({ backend, config, rows, capacity }: SequenceBatchOptions): CacheVariables {
  const shape = [rows * capacity, config.kvHeads ?? config.heads, config.channels / config.heads];
  const made: Variable[] = [];
  try {
    return Array.from({ length: config.layers }, () => {
      const key = createVariable(backend, { shape });
      made.push(key);
      const value = createVariable(backend, { shape });
      made.push(value);
      return { key, value };
    });
  } catch (error) {
    for (const variable of made) variable.destroy();
    throw error;
  }
}

/** Few different lengths, so that few functions are compiled: 1, and powers of two. */
function paddedQueries(queries: number): number {
  return queries === 1 ? 1 : Math.max(LEAST_PADDED_QUERIES, 2 ** Math.ceil(Math.log2(queries)));
}
