/** @file The decoding algorithm (paper section 3.3; PAPER 1.10): language mode, diffusion mode, and back. */
import type { ImageSize, RgbImage } from '@transfusion/data';
import { PhiloxStream } from '@transfusion/tensor';
import { z } from 'zod';
import { sampleToken, type TextSampling, type TextSamplingOptions, textSamplingSchema } from './choose-token.js';
import type { DenoisedStep } from './denoise.js';
import type { ImageFormat } from './image-formats.js';
import { type ImageSamplingOptions, imageSizeSchema } from './image-sampling.js';
import { type Drawing, imageSteps, isGuidedDrawing, resolveDrawing } from './image-steps.js';
import { encodeSources, keepPixels, resolveSource, type Source, type SourceOptions } from './image-to-image.js';
import { parseOptions } from './parse-options.js';
import {
  allowedLogits,
  checkContext,
  checkHasImages,
  decodeImages,
  openingLogits,
  type Pipeline,
  takeSequences,
} from './pipeline.js';
import { encodePrompt, type PromptPart, type PromptPiece, promptLength, readPrompt } from './prompt.js';
import { RandomPurpose } from './random-purpose.js';
import type { Sequences } from './sequences.js';
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
  /** Default: the model's `sampling` defaults. With `from` every image that is drawn starts from that one, and has its size. */
  image?: ImageSamplingOptions & SourceOptions;
  /**
   * Of the images that are drawn, in pixels: one that the model was trained on, or, of a model of several sizes that does not
   * announce them, any that divides into patches. Default: what the model writes, where it announces sizes; else its own.
   */
  size?: ImageSize;
  /**
   * What guidance leads away from: what a picture of anything looks like ('nothing', the paper's), or one of whatever goes with the
   * images of the prompt ('images': for edits, as `editImages`). Default 'nothing'.
   */
  guideAwayFrom?: 'nothing' | 'images';
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
  /** A denoising step is done or, where images are tokens, one of these is drawn. */
  | { type: 'denoise'; step: number; steps: number; preview?: RgbImage }
  | { type: 'image'; image: RgbImage }
  /** What was generated, the prompt not included. */
  | { type: 'done'; parts: PromptPart[]; reason: EndReason };

const optionsSchema = z.strictObject({
  maxTokens: z.int().min(0).default(256),
  maxImages: z.int().min(0).default(4),
  seed: z.int().min(0).default(0),
  text: textSamplingSchema.prefault({}),
  size: imageSizeSchema.optional(),
  guideAwayFrom: z.enum(['nothing', 'images']).default('nothing'),
  forceImage: z.boolean().default(false),
  stop: z.array(z.string().min(1)).default([]),
  previewEvery: z.int().min(1).optional(),
});

/** See `Sampler.generate`. */
export async function* generate(pipeline: Pipeline, given: GenerateOptions): AsyncGenerator<SamplerEvent, void> {
  const { prompt, image: { from, mask, ...imageOptions } = {}, signal, ...rest } = given;
  const options = parseOptions('generate', optionsSchema, rest);
  if (options.forceImage || from) checkHasImages(pipeline);
  const image = resolveDrawing(pipeline.config, imageOptions, { from, mask });
  const resolved = resolveSource('image', pipeline.formats, { from, mask, size: options.size });
  const mostImages = pipeline.config.model.images === 'none' ? 0 : options.maxImages;
  const maxImages = options.forceImage ? Math.max(1, mostImages) : mostImages;
  const pieces = await encodePrompt(pipeline, prompt);
  const length = promptLength(pieces);
  const { maxPositions } = pipeline.config.model;
  const guided = maxImages > 0 && isGuidedDrawing(image);
  const negative = pipeline.tokenizer.encode(image.negativePrompt);
  const unconditional = unconditionalPieces(pipeline, options.guideAwayFrom === 'images' ? pieces : [], negative);
  const lengthOfNegative = promptLength(unconditional);
  // The negative prompt and an image; nothing follows it, so that no EOI does.
  const besideNegative = ({ length }: ImageFormat) => (guided ? lengthOfNegative + length - 1 : 0);
  const drawable = resolved ? [resolved.format] : pipeline.formats.drawable(options.size);
  // Without EOI, which nothing needs.
  const ofDrawn = (of: readonly ImageFormat[]) => Math.min(...of.map((format) => format.length)) - 1;
  const least = ofDrawn(drawable);
  if (guided) {
    const taken = { positions: lengthOfNegative + least, ofImages: lengthOfNegative - 1 - negative.length + least };
    checkContext(pipeline, 'the negative prompt with its image', taken);
  }
  const formats = drawable.filter((format) => besideNegative(format) <= maxPositions);
  const lengths = formats.map((format) => format.length);
  const ofGiven = pieces.reduce((sum, piece) => sum + ('format' in piece ? piece.format.length : 0), 0);
  // Of a forced image what opens it and its patches.
  const ofForced = options.forceImage ? ofDrawn(formats) : 0;
  const taken = { positions: length + ofForced, ofImages: ofGiven + ofForced };
  checkContext(pipeline, options.forceImage ? 'the prompt with its image' : 'the prompt', taken);
  const [source] = resolved ? await encodeSources(pipeline, [resolved]) : [];
  const most = Math.min(maxPositions, length + options.maxTokens + maxImages * Math.max(...lengths));
  const capacity = Math.max(most, ...formats.map(besideNegative));
  const { sequences: batch, give } = await takeSequences(pipeline, { rows: guided ? 2 : 1, capacity }, signal);
  try {
    const parts = { pipeline, batch, image, unconditional, source, signal };
    yield* new Generation({ ...options, maxImages, formats, ...parts }).run(pieces);
  } finally {
    give();
  }
}

/** BOS and the negative prompt, with the images of a prompt between. */
function unconditionalPieces(
  { tokenizer: { special } }: Pipeline,
  prompt: readonly PromptPiece[],
  negative: readonly number[],
): PromptPiece[] {
  const images = prompt.flatMap((piece) => ('tokens' in piece ? [] : [piece]));
  const before = images.flatMap((image, i) => [
    { tokens: [i === 0 ? special.bos : special.eoi, ...image.format.opening] },
    image,
  ]);
  return [...before, { tokens: [images.length === 0 ? special.bos : special.eoi, ...negative] }];
}

/** The last piece is tokens. */
function withOpening(pieces: readonly PromptPiece[], { opening }: ImageFormat): PromptPiece[] {
  const last = pieces.at(-1) as { tokens: number[] };
  return [...pieces.slice(0, -1), { tokens: [...last.tokens, ...opening] }];
}

interface GenerationOptions extends z.output<typeof optionsSchema> {
  pipeline: Pipeline;
  /** Of images that may be drawn. */
  formats: readonly ImageFormat[];
  batch: Sequences;
  image: Drawing;
  /** What stands in row 1, up to what opens an image. */
  unconditional: readonly PromptPiece[];
  /** What images are made from. */
  source?: Source;
  text: TextSampling;
  signal?: AbortSignal;
}

/** Row 0 is the document; row 1, if there is one, the unconditional context of its images: BOS (images) negative prompt SIZE? BOI. */
const DOCUMENT = 0;
const UNCONDITIONAL = 1;

class Generation {
  readonly #options: GenerationOptions;
  readonly #parts: PromptPart[] = [];
  readonly #random: PhiloxStream;
  #text: TextStream;
  #tokens = 0;
  #images = 0;
  /** Of the image that row 1 is the context of. */
  #unconditional: ImageFormat | undefined;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#random = new PhiloxStream(options.seed, RandomPurpose.token);
    this.#text = this.#beginText();
  }

  async *run(pieces: readonly PromptPiece[]): AsyncGenerator<SamplerEvent, void> {
    const { batch, signal, maxTokens, forceImage, pipeline, formats } = this.#options;
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
      const id = isForced ? this.#chooseForced(logits) : this.#choose(logits);
      if (id === special.eos) return yield* this.#done('eos');
      const format = formats.find(({ opening }) => opening[0] === id);
      if (format) {
        if (yield* this.#endText()) return yield* this.#done('stop');
        const latents = yield* this.#draw(format);
        if (this.#tokens === maxTokens) return yield* this.#done('maxTokens');
        // The image, and EOI after it.
        if (this.#room() < format.patches + 1) return yield* this.#done('context');
        await batch.appendImages(new Map([[DOCUMENT, latents]]), format.latent);
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
    const { pipeline, text, maxImages, formats } = this.#options;
    // What does not fit may not come.
    const images = this.#images < maxImages ? formats.filter(({ length }) => length <= this.#room()) : [];
    return sampleToken(allowedLogits(pipeline, logits, images), text, this.#random.uniform());
  }

  /** What opens an image that is drawn whatever the model would write: where it announces sizes, the one that it chooses. */
  #chooseForced(logits: Float32Array): number {
    const { text, formats } = this.#options;
    if (formats.length === 1) return formats[0].opening[0];
    const fitting = formats.filter(({ length }) => length - 1 <= this.#room());
    return sampleToken(openingLogits(logits, fitting), text, this.#random.uniform());
  }

  /** Diffusion mode: appends what opens the image, denoises; returns the clean latents. Where images are tokens, samples these. */
  async *#draw(format: ImageFormat): AsyncGenerator<SamplerEvent, Float32Array> {
    const { batch, pipeline, image, unconditional, source, seed, signal } = this.#options;
    await batch.appendTokensAlone(DOCUMENT, format.opening);
    if (isGuidedDrawing(image) && this.#unconditional !== format) {
      batch.clear(UNCONDITIONAL);
      await readPrompt(batch, withOpening(unconditional, format), signal, UNCONDITIONAL);
      this.#unconditional = format;
    }
    const noiseIndices = [this.#images];
    const sources = source && [source];
    const steps = imageSteps(pipeline, { drawing: image, format, batch, seed, signal, noiseIndices, sources });
    try {
      let result = await steps.next();
      while (!result.done) {
        yield await this.#stepEvent(format, result.value);
        result = await steps.next();
      }
      return yield* this.#endImage(format, result.value[0]);
    } finally {
      await steps.return([]);
    }
  }

  async #stepEvent(format: ImageFormat, { step, steps, estimates }: DenoisedStep): Promise<SamplerEvent> {
    const { previewEvery } = this.#options;
    const isPreviewed = previewEvery !== undefined && step % previewEvery === 0 && step < steps;
    const preview = isPreviewed ? await this.#decode(format, (await estimates())[0]) : undefined;
    return { type: 'denoise', step, steps, ...(preview && { preview }) };
  }

  async *#endImage(format: ImageFormat, latents: Float32Array): AsyncGenerator<SamplerEvent, Float32Array> {
    const drawn = await this.#decode(format, latents);
    this.#images++;
    this.#parts.push({ image: drawn });
    yield { type: 'image', image: drawn };
    return latents;
  }

  async #decode(format: ImageFormat, latents: Float32Array): Promise<RgbImage> {
    const { pipeline, source } = this.#options;
    return keepPixels((await decodeImages(pipeline, format, [latents]))[0], source);
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
