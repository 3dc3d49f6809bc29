/**
 * @file Documents that are written at the same time share the model's runs (continuous batching: Yu et al. 2022, Orca): whoever
 * wants a token, and whoever wants a denoising step, gets it together with the others that want the same kind of thing now.
 */
import { nextTask } from '@transfusion/core';
import { type Evaluation, isGuided } from '@transfusion/schedulers';
import type { LatentShape } from '@transfusion/vae';
import { type ImageEvaluation, type ImageFault, type StartedImage, variantName } from './denoiser.js';
import type { BeginImagesOptions, Denoising } from './denoising.js';
import { SequenceBatch, type SequenceBatchOptions } from './sequence-batch.js';
import type { Sequences } from './sequences.js';

/** A document's sequence and its unconditional one. */
const ROWS = 2;

/** What a document asks of the model, and waits for. */
interface Request<Result = unknown> {
  /** Requests of one kind are served together. */
  kind: string;
  slot: number;
  /** Serves this one and others of its kind: the results in their order. */
  serve(requests: readonly Request[]): Promise<unknown[]>;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

interface TokensRequest extends Request {
  tokens: ReadonlyMap<number, readonly number[]>;
}

interface ImageRequest extends Request {
  row: number;
  latents: Float32Array;
}

interface EvaluationRequest extends Request {
  evaluation: ImageEvaluation;
}

/** Rows for some documents. What one of them gets has the same bits whether others are there or not. */
export class SharedBatch {
  readonly #batch: SequenceBatch;
  readonly #slots: number;
  readonly #free: number[];
  readonly #waiting: ((slot: number) => void)[] = [];
  #requests: Request[] = [];
  #isServing = false;

  /** @throws OutOfMemoryError */
  constructor({ slots, ...options }: Omit<SequenceBatchOptions, 'rows' | 'capacity'> & { slots: number }) {
    this.#batch = new SequenceBatch({ ...options, rows: ROWS * slots, capacity: options.config.maxPositions });
    this.#slots = slots;
    this.#free = Array.from({ length: slots }, (_, slot) => slot);
  }

  /** Empty sequences of a document, as soon as there is a free slot; first come, first served. @throws what `signal` was aborted with */
  async take(signal?: AbortSignal): Promise<DocumentSequences> {
    signal?.throwIfAborted();
    const slot = this.#free.shift() ?? (await this.#wait(signal));
    const document = new DocumentSequences(this, slot);
    document.clear();
    return document;
  }

  /** Gives a document's place to the next. */
  give({ slot }: DocumentSequences): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }

  dispose(): void {
    this.#batch.dispose();
  }

  get sequences(): SequenceBatch {
    return this.#batch;
  }

  /** Long texts are read alone: padding the others to their length would cost more than it saves. */
  tokens(slot: number, tokens: ReadonlyMap<number, readonly number[]>): Promise<Map<number, Float32Array>> {
    const isShort = [...tokens.values()].every(({ length }) => length === 1);
    return this.#ask<TokensRequest, Map<number, Float32Array>>({
      ...{ slot, tokens, kind: isShort ? 'tokens' : `tokens of ${slot}` },
      serve: async (requests) => {
        const all = requests.map((request) => (request as TokensRequest).tokens);
        const logits = await this.#readTokens(new Map(all.flatMap((own) => [...own])));
        return all.map((own) => new Map([...own.keys()].map((row) => [row, logits.get(row)!])));
      },
    });
  }

  image(slot: number, row: number, latents: Float32Array, latent: LatentShape): Promise<void> {
    return this.#ask<ImageRequest, void>({
      ...{ slot, row, latents, kind: `image of ${latent.width}x${latent.height}` },
      serve: async (requests) => {
        const images = requests.map((request) => request as ImageRequest);
        await this.#batch.appendImages(new Map(images.map((each) => [each.row, each.latents])), latent);
        return images.map(() => undefined);
      },
    });
  }

  evaluation(slot: number, evaluation: ImageEvaluation, latent: LatentShape): Promise<void> {
    return this.#ask<EvaluationRequest, void>({
      ...{ slot, evaluation, kind: `step of ${latent.width}x${latent.height} ${variantName(evaluation)}` },
      serve: async (requests) => {
        const denoiser = await this.denoiser(latent);
        await denoiser.run(requests.map((request) => (request as EvaluationRequest).evaluation));
        return requests.map(() => undefined);
      },
    });
  }

  denoiser(latent: LatentShape) {
    return this.#batch.denoiser(latent, this.#slots);
  }

  /** One sequence costs that of one, however long. */
  async #readTokens(tokens: ReadonlyMap<number, readonly number[]>): Promise<Map<number, Float32Array>> {
    const [[row, ids]] = tokens;
    if (tokens.size > 1 || ids.length === 1) return this.#batch.appendTokens(tokens);
    return new Map([[row, await this.#batch.appendTokensAlone(row, ids)]]);
  }

  #wait(signal?: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal?.reason);
      };
      const turn = (slot: number) => {
        signal?.removeEventListener('abort', aborted);
        resolve(slot);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(turn);
    });
  }

  #ask<Kind extends Request, Result>(request: Omit<Kind, 'resolve' | 'reject'>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#requests.push({ ...request, resolve, reject } as unknown as Request);
      if (!this.#isServing) void this.#serveAll();
    });
  }

  async #serveAll(): Promise<void> {
    this.#isServing = true;
    try {
      while (this.#requests.length > 0) {
        // Whoever was just served says what it wants next, so that those that were together stay together.
        await nextTask();
        await nextTask();
        for (const requests of this.#nextOfEach()) await serveTogether(requests);
      }
    } finally {
      this.#isServing = false;
    }
  }

  /** The first request of every document, by kind. */
  #nextOfEach(): Request[][] {
    const kinds = new Map<string, Request[]>();
    const seen = new Set<number>();
    const later: Request[] = [];
    for (const request of this.#requests) {
      if (seen.has(request.slot)) {
        later.push(request);
        continue;
      }
      seen.add(request.slot);
      kinds.set(request.kind, [...(kinds.get(request.kind) ?? []), request]);
    }
    this.#requests = later;
    return [...kinds.values()];
  }
}

async function serveTogether(requests: readonly Request[]): Promise<void> {
  try {
    const results = await requests[0].serve(requests);
    requests.forEach((request, i) => {
      request.resolve(results[i]);
    });
  } catch (error) {
    for (const request of requests) request.reject(error);
  }
}

/** The sequences of one document of a shared batch, counted from 0. */
export class DocumentSequences implements Sequences {
  constructor(
    readonly shared: SharedBatch,
    readonly slot: number,
  ) {}

  length(row: number): number {
    return this.shared.sequences.length(this.#row(row));
  }

  clear(row?: number): void {
    for (const each of row === undefined ? [0, 1] : [row]) this.shared.sequences.clear(this.#row(each));
  }

  truncate(row: number, length: number): void {
    this.shared.sequences.truncate(this.#row(row), length);
  }

  async appendTokens(tokens: ReadonlyMap<number, readonly number[]>): Promise<Map<number, Float32Array>> {
    // Here, where it fails this document alone.
    for (const [row, ids] of tokens) this.shared.sequences.checkRoom(this.#row(row), ids.length);
    const own = new Map([...tokens].map(([row, ids]) => [this.#row(row), ids]));
    const logits = await this.shared.tokens(this.slot, own);
    return new Map([...tokens.keys()].map((row) => [row, logits.get(this.#row(row))!]));
  }

  async appendTokensAlone(row: number, tokens: readonly number[]): Promise<Float32Array> {
    return (await this.appendTokens(new Map([[row, tokens]]))).get(row)!;
  }

  async appendImages(latents: ReadonlyMap<number, Float32Array>, latent: LatentShape): Promise<void> {
    for (const [row, image] of latents) {
      this.shared.sequences.imagePlaces(this.#row(row), latent);
      await this.shared.image(this.slot, this.#row(row), image, latent);
    }
  }

  /** Of one image. */
  async beginImages({ guidance, samples, known, latent }: BeginImagesOptions): Promise<Denoising> {
    const { sequences } = this.shared;
    const image: StartedImage = {
      ...{ place: this.slot, sample: samples[0], known: known?.[0], guidance },
      conditional: sequences.imagePlaces(this.#row(0), latent),
      ...(isGuided(guidance) && { unconditional: sequences.imagePlaces(this.#row(1), latent) }),
    };
    await (await this.shared.denoiser(latent)).start([image]);
    return new SharedDenoising(this, image, latent);
  }

  #row(row: number): number {
    return ROWS * this.slot + row;
  }
}

class SharedDenoising implements Denoising {
  /** What was asked for may not have begun yet. */
  #running: Promise<void> = Promise.resolve();

  constructor(
    readonly document: DocumentSequences,
    readonly image: StartedImage,
    readonly latent: LatentShape,
  ) {}

  run(evaluation: Evaluation, index: number, noise?: readonly Float32Array[]): Promise<void> {
    const { shared, slot } = this.document;
    const own = { image: this.image, evaluation, index, noise: noise?.[0] };
    this.#running = shared.evaluation(slot, own, this.latent);
    return this.#running;
  }

  async samples(): Promise<Float32Array[]> {
    return (await this.#denoiser()).samples([this.image]);
  }

  async estimates(): Promise<Float32Array[]> {
    return (await this.#denoiser()).estimates([this.image]);
  }

  async fault(): Promise<ImageFault | undefined> {
    return (await this.#denoiser()).fault([this.image]);
  }

  async #denoiser() {
    await this.#running;
    return this.document.shared.denoiser(this.latent);
  }
}
