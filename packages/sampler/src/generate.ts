/** @file The decoding algorithm (paper section 3.3; PAPER 1.10): language mode, diffusion mode, and back. */
import { drawingPrefix, imageLength } from '@transfusion/data';
import { PhiloxStream } from '@transfusion/tensor';
import { z } from 'zod';
import { sampleToken, type TextSampling, type TextSamplingOptions, textSamplingSchema } from './choose-token.js';
import { type DenoisedStep, denoise } from './denoise.js';
import { type ImageSampling, type ImageSamplingOptions, resolveImageSampling } from './image-sampling.js';
import { parseOptions } from './parse-options.js';
import { allowedLogits, checkContext, decodeImages, type Pipeline } from './pipeline.js';
import { encodePrompt, type PromptPart, type PromptPiece, promptLength, readPrompt } from './prompt.js';
import { RandomPurpose } from './random-purpose.js';
import type { SequenceBatch } from './sequence-batch.js';
import { TextStream } from './text-stream.js';

export interface GenerateOptions {
  /** What the document begins with; may be empty. */
  prompt: readonly PromptPart[];
  /** Most text tokens to write; default 256. Nothing follows the last one. */
  maxTokens?: number;
  /** Most images to draw; default 4. */
  maxImages?: number;
  /** A whole number from 0; default 0. The same seed gives the same document. */
  seed?: number;
  /** Default: greedy. */
  text?: TextSamplingOptions;
  /** Default: the model's `sampling` defaults. */
  image?: ImageSamplingOptions;
  /** Draw an image right after the prompt, whatever the model would write. Default false. */
  forceImage?: boolean;
  /** Ends after a text that contains one of these; it and what follows are left out of `parts`. */
  stop?: readonly string[];
  /** Cancels between two runs of the model; the iterator then throws the signal's reason. */
  signal?: AbortSignal;
  /** Gives a preview, the present estimate of the clean image, every so many denoising steps. Default: none. */
  previewEvery?: number;
}

/** Why generation ended: the model ended the document, or a limit was reached. */
export type EndReason = 'eos' | 'stop' | 'maxTokens' | 'context';

export type SamplerEvent =
  /**
   * A token was sampled; `text` is what it adds for sure: nothing inside a character of several tokens, or while it may be
   * the beginning of a stop text. The texts of all events add up to those of `parts`.
   */
  | { type: 'token'; id: number; text: string }
  /** The rest of a text that has ended, where anything was held back. */
  | { type: 'text'; text: string }
  /** A denoising step is done. `preview`: [size, size, 3] in [-1, 1]. */
  | { type: 'denoise'; step: number; steps: number; preview?: Float32Array }
  /** [size, size, 3] in [-1, 1]. */
  | { type: 'image'; image: Float32Array }
  /** What was generated, the prompt not included. */
  | { type: 'done'; parts: PromptPart[]; reason: EndReason };

const optionsSchema = z.strictObject({
  maxTokens: z.int().min(0).default(256),
  maxImages: z.int().min(0).default(4),
  seed: z.int().min(0).default(0),
  text: textSamplingSchema.prefault({}),
  forceImage: z.boolean().default(false),
  stop: z.array(z.string().min(1)).default([]),
  previewEvery: z.int().min(1).optional(),
});

/** See `Sampler.generate`. */
export async function* generate(pipeline: Pipeline, given: GenerateOptions): AsyncGenerator<SamplerEvent, void> {
  const { prompt, image: imageOptions, signal, ...rest } = given;
  const options = parseOptions('generate', optionsSchema, rest);
  const image = resolveImageSampling(pipeline.config, imageOptions);
  const maxImages = options.forceImage ? Math.max(1, options.maxImages) : options.maxImages;
  const pieces = await encodePrompt(pipeline, prompt);
  const length = promptLength(pipeline, pieces);
  const perImage = imageLength(pipeline.layout.patches);
  // BOI and the patches of a forced image; nothing needs to follow it.
  if (options.forceImage) checkContext(pipeline, 'the prompt with its image', length + perImage - 1);
  else checkContext(pipeline, 'the prompt', length);
  const capacity = Math.min(pipeline.config.model.maxPositions, length + options.maxTokens + maxImages * perImage);
  const rows = maxImages > 0 && image.guidance !== 1 ? 2 : 1;
  const batch = pipeline.pool.take({ rows, capacity });
  try {
    yield* new Generation({ ...options, maxImages, pipeline, batch, image, signal }).run(pieces);
  } finally {
    pipeline.pool.give(batch);
  }
}

interface GenerationOptions extends z.output<typeof optionsSchema> {
  pipeline: Pipeline;
  batch: SequenceBatch;
  image: ImageSampling;
  text: TextSampling;
  signal?: AbortSignal;
}

/** Row 0 is the document; row 1, if there is one, the unconditional context BOS BOI of its images. */
const DOCUMENT = 0;
const UNCONDITIONAL = 1;

class Generation {
  readonly #options: GenerationOptions;
  readonly #parts: PromptPart[] = [];
  readonly #random: PhiloxStream;
  #text: TextStream;
  #tokens = 0;
  #images = 0;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#random = new PhiloxStream(options.seed, RandomPurpose.token);
    this.#text = this.#beginText();
  }

  async *run(pieces: readonly PromptPiece[]): AsyncGenerator<SamplerEvent, void> {
    const { batch, signal, maxTokens, forceImage, pipeline } = this.#options;
    const { special } = pipeline.tokenizer;
    // The last piece is tokens: what is written goes on with their text.
    const last = pieces.at(-1);
    if (last && 'tokens' in last) this.#text = this.#beginText(last.tokens);
    let logits = await readPrompt(batch, pieces, signal);
    for (let isFirst = true; ; isFirst = false) {
      signal?.throwIfAborted();
      const isForced = isFirst && forceImage;
      const reason = isForced ? undefined : this.#limit();
      if (reason) return yield* this.#done(reason);
      const id = isForced ? special.boi : this.#choose(logits);
      if (id === special.eos) return yield* this.#done('eos');
      if (id === special.boi) {
        if (yield* this.#endText()) return yield* this.#done('stop');
        const latents = yield* this.#draw();
        if (this.#tokens === maxTokens) return yield* this.#done('maxTokens');
        if (this.#room() < imageLength(pipeline.layout.patches) - 1) return yield* this.#done('context');
        await batch.appendImages(new Map([[DOCUMENT, latents]]));
        logits = await batch.appendTokensAlone(DOCUMENT, [special.eoi]);
      } else {
        yield { type: 'token', id, text: this.#text.push(id) };
        this.#tokens++;
        if (this.#text.stopped) return yield* this.#done('stop');
        if (this.#tokens < maxTokens) logits = await batch.appendTokensAlone(DOCUMENT, [id]);
      }
    }
  }

  #room(): number {
    return this.#options.pipeline.config.model.maxPositions - this.#options.batch.length(DOCUMENT);
  }

  /** Why nothing more may come, if so. */
  #limit(): EndReason | undefined {
    if (this.#tokens >= this.#options.maxTokens) return 'maxTokens';
    return this.#room() < 1 ? 'context' : undefined;
  }

  #choose(logits: Float32Array): number {
    const { pipeline, text, maxImages } = this.#options;
    const boi = this.#images < maxImages && this.#room() >= imageLength(pipeline.layout.patches);
    return sampleToken(allowedLogits(pipeline, logits, { boi }), text, this.#random.uniform());
  }

  /** Diffusion mode: appends BOI, denoises; returns the clean latents. */
  async *#draw(): AsyncGenerator<SamplerEvent, Float32Array> {
    const { batch, pipeline, image, seed, signal } = this.#options;
    const { special } = pipeline.tokenizer;
    await batch.appendTokensAlone(DOCUMENT, [special.boi]);
    const guided = image.guidance !== 1;
    if (guided && batch.length(UNCONDITIONAL) === 0) {
      await batch.appendTokensAlone(UNCONDITIONAL, drawingPrefix([], special));
    }
    const noiseIndices = [this.#images];
    const steps = denoise({ ...image, batch, layout: pipeline.layout, seed, signal, noiseIndices });
    try {
      let result = await steps.next();
      while (!result.done) {
        yield await this.#stepEvent(result.value);
        result = await steps.next();
      }
      return yield* this.#endImage(result.value[0]);
    } finally {
      await steps.return([]);
    }
  }

  async #stepEvent({ step, steps, estimates }: DenoisedStep): Promise<SamplerEvent> {
    const { pipeline, previewEvery } = this.#options;
    const isPreviewed = previewEvery !== undefined && step % previewEvery === 0 && step < steps;
    const preview = isPreviewed ? (await decodeImages(pipeline, await estimates()))[0] : undefined;
    return { type: 'denoise', step, steps, ...(preview && { preview }) };
  }

  async *#endImage(latents: Float32Array): AsyncGenerator<SamplerEvent, Float32Array> {
    const [drawn] = await decodeImages(this.#options.pipeline, [latents]);
    this.#images++;
    this.#parts.push({ image: drawn });
    yield { type: 'image', image: drawn };
    return latents;
  }

  #beginText(before: readonly number[] = []): TextStream {
    const { pipeline, stop } = this.#options;
    return new TextStream(pipeline.tokenizer, { before, stop });
  }

  /** Gives the rest of the text written so far and moves it to the parts. Returns whether a stop text has come. */
  *#endText(): Generator<SamplerEvent, boolean> {
    const rest = this.#text.end();
    if (rest !== '') yield { type: 'text', text: rest };
    const { text, stopped } = this.#text;
    if (text !== '') this.#parts.push({ text });
    this.#text = this.#beginText();
    return stopped;
  }

  *#done(reason: EndReason): Generator<SamplerEvent, void> {
    const stopped = yield* this.#endText();
    yield { type: 'done', parts: this.#parts, reason: stopped ? 'stop' : reason };
  }
}
