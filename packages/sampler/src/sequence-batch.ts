/** @file A batch of growing sequences whose keys and values stay on the device. */
import { nextTask, TransfusionError } from '@transfusion/core';
import { type CodeIds, codeTokens, patchPlaces } from '@transfusion/data';
import { type GuidancePlan, isGuided } from '@transfusion/schedulers';
import { type Backend, createVariable, type Variable } from '@transfusion/tensor';
import type { ModelConfig, ModelVariables } from '@transfusion/transformer';
import type { LatentShape } from '@transfusion/vae';
import { Denoiser, type KnownImage } from './denoiser.js';
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
  parameters: ModelVariables;
  /** Where images are tokens: their ids. */
  codes?: CodeIds;
  /** Sequences. */
  rows: number;
  /** Positions that a sequence may have. */
  capacity: number;
}

/** Prompts are read in pieces of at most so many positions, to bound the memory of one call. */
const MOST_QUERIES = 256;
const LEAST_PADDED_QUERIES = 8;
/** Sizes of images whose functions are kept: a caller may ask for any. */
const MOST_SIZES = 8;

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
  readonly #layers: CacheVariables;
  readonly #lengths: number[];
  /** The next rotary position of each sequence: its length, but for images in two dimensions. */
  readonly #positions: number[];
  /** By batch and queries. */
  readonly #tokenFunctions = new Kept<TokenFunction>();
  /** By the size of an image. */
  readonly #patchFunctions = new Kept<PatchFunction>(MOST_SIZES);
  readonly #denoisers = new Kept<Denoiser>(2 * MOST_SIZES);

  /** @throws OutOfMemoryError */
  constructor(options: SequenceBatchOptions) {
    const { rows, capacity } = options;
    this.#options = options;
    this.rows = rows;
    this.capacity = capacity;
    this.#lengths = new Array<number>(rows).fill(0);
    this.#positions = new Array<number>(rows).fill(0);
    this.#layers = createCache(options);
  }

  /** Positions of a sequence so far. */
  length(row: number): number {
    return this.#lengths[row];
  }

  /** Empties all sequences, or one. */
  clear(row?: number): void {
    for (const each of [this.#lengths, this.#positions]) {
      if (row === undefined) each.fill(0);
      else each[row] = 0;
    }
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
   * @param latent the size of each
   * @returns like `latents`
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  async predictImages(
    latents: ReadonlyMap<number, Float32Array>,
    timestep: number,
    latent: LatentShape,
  ): Promise<Map<number, Float32Array>> {
    const values = latent.height * latent.width * latent.channels;
    const places = this.#imagePositions([...latents.keys()], latent, this.rows);
    const input = new Float32Array(this.rows * values);
    for (const [row, image] of latents) input.set(image, row * values);
    const predict = await this.#patchFunctions.get(nameOf(latent), () =>
      compilePatchFunction({ ...this.#options, latent, layers: this.#layers, batch: this.rows }),
    );
    await nextTask();
    const timesteps = new Float32Array(this.rows).fill(timestep);
    const { prediction } = await predict.run({ ...places.arrays, latents: input, timesteps });
    return new Map([...latents.keys()].map((row) => [row, prediction.slice(row * values, (row + 1) * values)]));
  }

  /**
   * Begins to denoise images that stand at the end of the sequences, one each, in the order of `samples`. The sequences do
   * not grow, and must not while the images are denoised.
   *
   * @param options.guidance where it guides any evaluation, image i stands at the end of sequence 2 i, and its unconditional
   *   context at that of 2 i + 1; else it stands at the end of sequence i
   * @param options.samples what it begins with, [height, width, channels] of each image
   * @param options.known of each image, where anything is known
   * @param options.latent the size of each
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  async beginImages(options: {
    guidance: GuidancePlan;
    samples: readonly Float32Array[];
    known?: readonly KnownImage[];
    latent: LatentShape;
  }): Promise<Denoiser> {
    const { guidance, samples, known, latent } = options;
    const paired = isGuided(guidance);
    const conditional = samples.map((_, i) => (paired ? 2 * i : i));
    const conditionalPositions = this.#imagePositions(conditional, latent, paired ? this.rows / 2 : this.rows);
    const positions = paired
      ? this.#imagePositions(
          conditional.flatMap((row) => [row, row + 1]),
          latent,
          this.rows,
        )
      : conditionalPositions;
    const denoiser = await this.#denoisers.get(`${paired ? 'paired ' : ''}${nameOf(latent)}`, async () => {
      return new Denoiser({ ...this.#options, latent, layers: this.#layers, batch: this.rows, paired });
    });
    await denoiser.begin({ samples, known, guidance, positions, conditionalPositions });
    return denoiser;
  }

  /** Makes a sequence shorter again, by tokens: what came after is forgotten. */
  truncate(row: number, length: number): void {
    const dropped = Math.max(0, this.#lengths[row] - length);
    this.#lengths[row] -= dropped;
    // A token takes one rotary position, as it takes one of the sequence.
    this.#positions[row] -= dropped;
  }

  /**
   * Appends clean images: context for what follows, at timestep 0 (the cleanest that training knows). Where images are tokens,
   * latents are codes, and are appended as tokens.
   */
  async appendImages(latents: ReadonlyMap<number, Float32Array>, latent: LatentShape): Promise<void> {
    const { codes } = this.#options;
    if (codes) {
      await this.appendTokens(new Map([...latents].map(([row, image]) => [row, codeTokens(image, codes)])));
      return;
    }
    await this.predictImages(latents, 0, latent);
    const { patches, advance } = patchPlaces(latent, this.#options.config);
    for (const row of latents.keys()) {
      this.#lengths[row] += patches.length;
      this.#positions[row] += advance;
    }
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
        const at = this.#lengths[row] + i;
        const [position, end] = [this.#positions[row] + i, begin + at + 1];
        places.set(slot(row) * queries + i, { position, begin, end, cacheRow: row * this.capacity + at });
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
    for (const [row, appended] of tokens) {
      this.#lengths[row] += appended.length;
      this.#positions[row] += appended.length;
    }
    return new Map(
      [...tokens.keys()].map((row) => [row, logits.slice(slot(row) * vocabulary, (slot(row) + 1) * vocabulary)]),
    );
  }

  /**
   * Where images at the end of the rows' sequences are, for a call of `batch` sequences: one of each `rows / batch` of them.
   *
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  #imagePositions(rows: readonly number[], latent: LatentShape, batch: number): PositionArrays {
    const { patches } = patchPlaces(latent, this.#options.config);
    const columns = this.#options.config.imagePositions === '2d';
    const places = new PositionArrays(batch, patches.length, { columns });
    for (const row of rows) {
      this.#checkRoom(row, patches.length);
      const slot = Math.floor(row / (this.rows / batch));
      const begin = this.#keyBase(row, batch);
      const [length, next] = [this.#lengths[row], this.#positions[row]];
      patches.forEach(({ position, column, sees }, i) => {
        places.set(slot * patches.length + i, {
          ...{ position: next + position, column: next + column },
          ...{ begin, end: begin + length + sees, cacheRow: row * this.capacity + length + i },
        });
      });
    }
    return places;
  }

  /** Index of a row's first key, as a call for `batch` sequences counts keys: each of them sees several rows as one long one. */
  #keyBase(row: number, batch: number): number {
    return (row % (this.rows / batch)) * this.capacity;
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

function nameOf({ height, width }: LatentShape): string {
  return `${height}x${width}`;
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
