/** @file A batch of growing sequences whose keys and values stay on the device. */
import { nextTask, TransfusionError } from '@transfusion/core';
import { type CodeIds, codeTokens, patchPlaces } from '@transfusion/data';
import { isGuided } from '@transfusion/schedulers';
import { type Backend, createVariable, type Variable } from '@transfusion/tensor';
import type { ModelConfig, ModelVariables } from '@transfusion/transformer';
import type { LatentShape } from '@transfusion/vae';
import { Denoiser, type StartedImage } from './denoiser.js';
import { type BeginImagesOptions, type Denoising, StartedImages } from './denoising.js';
import { Kept } from './kept.js';
import {
  type CacheVariables,
  compilePatchFunction,
  compileTokenFunction,
  type PatchFunction,
  type TokenFunction,
} from './model-functions.js';
import { type ImagePlaces, type Place, PositionArrays } from './position-arrays.js';
import type { Sequences } from './sequences.js';

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
export class SequenceBatch implements Sequences {
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
    return this.#append(tokens, this.callSize(tokens.size));
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
    const batch = this.callSize(latents.size);
    const places = [...latents.keys()].map((row) => this.imagePlaces(row, latent));
    const input = new Float32Array(batch * values);
    [...latents.values()].forEach((image, i) => {
      input.set(image, i * values);
    });
    const predict = await this.#patchFunctions.get(`${batch} ${nameOf(latent)}`, () =>
      compilePatchFunction({ ...this.#options, latent, layers: this.#layers, batch }),
    );
    await nextTask();
    const timesteps = new Float32Array(batch).fill(timestep);
    const { arrays } = new PositionArrays(batch, places[0].length, places);
    const { prediction } = await predict.run({ ...arrays, latents: input, timesteps });
    return new Map([...latents.keys()].map((row, i) => [row, prediction.slice(i * values, (i + 1) * values)]));
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
  async beginImages(options: BeginImagesOptions): Promise<Denoising> {
    const { guidance, samples, known, latent } = options;
    const paired = isGuided(guidance);
    const images = samples.map((sample, place): StartedImage => {
      const row = paired ? 2 * place : place;
      return {
        ...{ place, sample, known: known?.[place], guidance },
        conditional: this.imagePlaces(row, latent),
        ...(paired && { unconditional: this.imagePlaces(row + 1, latent) }),
      };
    });
    const denoiser = await this.denoiser(latent, paired ? this.rows / 2 : this.rows);
    await denoiser.start(images);
    return new StartedImages(denoiser, images);
  }

  /** The denoiser of images of a size, with room for so many. */
  denoiser(latent: LatentShape, places: number): Promise<Denoiser> {
    const callSize = (images: number) => this.#sized(images, places);
    return this.#denoisers.get(`${places} ${nameOf(latent)}`, async () => {
      return new Denoiser({ ...this.#options, latent, layers: this.#layers, places, callSize });
    });
  }

  /**
   * Where an image at the end of a row's sequence is.
   *
   * @throws TransfusionError SAMPLER_CONTEXT_FULL
   */
  imagePlaces(row: number, latent: LatentShape): ImagePlaces {
    const { patches } = patchPlaces(latent, this.#options.config);
    this.checkRoom(row, patches.length);
    const columns = this.#options.config.imagePositions === '2d';
    const begin = row * this.capacity;
    const [end, next] = [begin + this.#lengths[row], this.#positions[row]];
    return patches.map(({ position, column, sees }, i) => ({
      ...{ position: next + position, ...(columns && { column: next + column }) },
      ...{ begin, end: end + sees, cacheRow: end + i },
    }));
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
    for (const [row, ids] of tokens) this.checkRoom(row, ids.length);
    const longest = Math.max(0, ...[...tokens.values()].map((ids) => ids.length));
    const logits = new Map<number, Float32Array>();
    for (let from = 0; from < longest; from += MOST_QUERIES) {
      const pieces = [...tokens].map(([row, ids]) => [row, ids.slice(from, from + MOST_QUERIES)] as const);
      const present = new Map(pieces.filter(([, ids]) => ids.length > 0));
      for (const [row, rowLogits] of await this.#readTokens(present, batch)) logits.set(row, rowLogits);
    }
    return logits;
  }

  /** One call, for `batch` sequences at most. */
  async #readTokens(tokens: ReadonlyMap<number, readonly number[]>, batch: number): Promise<Map<number, Float32Array>> {
    const queries = paddedQueries(Math.max(...[...tokens.values()].map((ids) => ids.length)));
    const ids = new Int32Array(batch * queries).fill(-1);
    const last = new Int32Array(batch);
    const places = [...tokens].map(([row, appended], i) => {
      ids.set(appended, i * queries);
      last[i] = i * queries + appended.length - 1;
      const begin = row * this.capacity;
      return appended.map((_, at): Place => {
        const cacheRow = begin + this.#lengths[row] + at;
        return { position: this.#positions[row] + at, begin, end: cacheRow + 1, cacheRow };
      });
    });
    const read = await this.#tokenFunctions.get(`${batch}x${queries}`, () =>
      compileTokenFunction({ ...this.#options, layers: this.#layers, batch, queries }),
    );
    await nextTask();
    const { logits } = await read.run({ ...new PositionArrays(batch, queries, places).arrays, tokens: ids, last });
    const vocabulary = this.#options.config.vocabularySize;
    for (const [row, appended] of tokens) {
      this.#lengths[row] += appended.length;
      this.#positions[row] += appended.length;
    }
    return new Map([...tokens.keys()].map((row, i) => [row, logits.slice(i * vocabulary, (i + 1) * vocabulary)]));
  }

  /** For how many sequences a call on so many is compiled, at most `rows`. */
  callSize(sequences: number): number {
    return this.#sized(sequences, this.rows);
  }

  /**
   * Where the number of rows changes no bits, the next power of two. Elsewhere always the most, so that what is computed for one
   * does not depend on the others.
   */
  #sized(count: number, most: number): number {
    return this.#options.backend.batchInvariant ? Math.min(most, 2 ** Math.ceil(Math.log2(count))) : most;
  }

  /** @throws TransfusionError SAMPLER_CONTEXT_FULL: so many positions more do not fit */
  checkRoom(row: number, positions: number): void {
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
