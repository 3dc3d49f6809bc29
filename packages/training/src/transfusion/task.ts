/** @file The model's training: its data and objective, and then its state and steps on a backend. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import {
  type CaptionedImage,
  type CodeIds,
  distinctSizes,
  type ImageGrid,
  type ImageSize,
  type ImageStream,
  isSameSize,
  patchCount,
  type SourceDocument,
  type TextDocument,
} from '@transfusion/data';
import {
  announcingTokens,
  defaultImageSize,
  imageCodes,
  imageSizes,
  objectiveOptions,
  type PipelineConfig,
  pipelineConfigSchema,
} from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import type { Tokenizer } from '@transfusion/tokenizer';
import { diffusesImages } from '@transfusion/transformer';
import { type CodecConfig, type LatentShape, latentShapeOf, type StoredCodec } from '@transfusion/vae';
import { codeIds } from '../chameleon/picture-codes.js';
import type { TrainingTask } from '../session.js';
import { splitAsConfigured } from '../split.js';
import { type BaseModel, checkBase, configOfBase, weightsOfBase } from './base-model.js';
import { rowShares } from './batch-rows.js';
import { batchShape, type DocumentSize, documentSize, exampleSize } from './batch-shape.js';
import { fitCaptions } from './caption-lengths.js';
import type { TransfusionTrainingConfig } from './config.js';
import {
  type DocumentExample,
  type Example,
  encodeDocument,
  encodeExample,
  type Split,
  type StreamedExample,
  type StreamedExamples,
  type TextExample,
} from './examples.js';
import { modelConfigOf, patchSizeOf } from './model-config.js';
import type { BatchShape, TransfusionObjectiveOptions } from './objective.js';
import { objectiveOf } from './objective-of.js';
import { seenIn, seenWith } from './seen.js';
import { splitTextExamples } from './split-texts.js';
import { type TextLayout, type TextRow, textRows } from './text-rows.js';

export interface TransfusionTaskOptions {
  config: TransfusionTrainingConfig;
  /** Pictures with captions, of any sizes; default: none. */
  images?: readonly CaptionedImage[];
  /**
   * Pictures to train on that are read when their batch comes: some of the images of a stream, by their numbers. `images` are then those
   * that are evaluated or shown, each with its `split`, and not trained on.
   */
  streamed?: { stream: ImageStream; images: readonly number[] };
  /** Other documents: texts and images in any order; default: none. */
  documents?: readonly SourceDocument[];
  /** Plain texts; default: none. */
  texts?: readonly TextDocument[];
  /**
   * Of the images that the model draws where nothing else is asked for, in pixels; a number is the side of a square. Default: the
   * size of the first picture.
   */
  imageSize?: number | ImageSize;
  tokenizer: Tokenizer;
  /** The autoencoder whose latents are diffused; default: that of `base`, else pixels. */
  codec?: StoredCodec;
  /**
   * A model to start from, or with `lora` to train adapters of; default: random weights. Sizes, patches and diffusion are then its,
   * whatever the configuration says.
   */
  base?: BaseModel;
  /** What the model has seen before, and images of which sizes, where it is not what `base` says. */
  seen?: Partial<Pick<PipelineConfig, 'trainedOn' | 'image'>>;
  /** Told what was cut or skipped. */
  log?: (line: string) => void;
}

/** What a run consists of, apart from a device. */
export interface TransfusionTask extends TrainingTask {
  config: TransfusionTrainingConfig;
  /** In the dataset's order. */
  examples: Example[];
  documents: DocumentExample[];
  /** In place of the examples to train on. */
  streamed?: StreamedExamples;
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: StoredCodec;
  pipeline: PipelineConfig;
  /** What the objective is made of. */
  sizes: TransfusionObjectiveOptions;
  /** What it starts from. */
  base?: BaseModel;
  /** The token of each image size, written as `64x32`, where sizes are announced. */
  sizeTokens?: ReadonlyMap<string, number>;
}

export const PIXELS: StoredCodec = { config: { kind: 'pixels' }, weights: new Map(), where: 'pixels' };

/** @throws TransfusionError CONFIG_*, DATA_*, CODEC_*, LORA_*: parts of the configuration do not go together */
export function transfusionTask(options: TransfusionTaskOptions): TransfusionTask {
  const { base, images = [], texts = [], tokenizer, codec = base?.vae ?? PIXELS, log } = options;
  const known = options.seen?.image ?? severalSizes(base);
  const config = withSizes(base ? configOfBase(options.config, base.config) : options.config, known);
  const { lora } = config;
  checkBase(base, lora, tokenizer.vocabularySize);
  const { lambda, zLoss, checkpointActivations, precision, seed } = config;
  const patchSize = patchSizeOf(config);
  checkImages({ ...options, config });
  const documents = (options.documents ?? []).map((document) => encodeDocument(document, tokenizer));
  const unread = streamedExamples({ ...options, config });
  const imageSize = known
    ? defaultImageSize(known)
    : (squareOf(options.imageSize) ?? firstSize([...images, ...unread], documents));
  const gridOf = (size: ImageGrid) => latentGrid(size, patchSize, codec.config);
  const { channels } = gridOf(imageSize);
  const encoded = images.map((image) => encodeExample(image, { tokenizer, ...config.data }));
  const mostPatches = [...encoded, ...unread].reduce(
    (most, image) => Math.max(most, patchCount(gridOf(image), patchSize)),
    0,
  );
  const fitting = fitCaptions<Example | StreamedExample>(config, [...encoded, ...unread], mostPatches, log);
  const isRead = (example: Example | StreamedExample): example is Example => 'pixels' in example;
  const examples = fitting.filter(isRead);
  const streamed = options.streamed && {
    ...options.streamed,
    examples: fitting.flatMap((each) => (isRead(each) ? [] : each)),
  };
  const layout = { patchSize, context: config.data.imageContext, announced: config.data.announceSizes };
  const exampleSizes = fitting.map((example) => exampleSize(example, gridOf(example), layout));
  const documentSizes = documents.map((document) =>
    checkedSize(document, documentSize(document, gridOf, layout), config),
  );
  rowShares(config.data, { examples: fitting.length, documents: documents.length, texts: texts.length });
  const codes = codesOf(config, { base, codec, tokenizer });
  // Images of tokens are text to a batch.
  const inBatch = (sizes: DocumentSize[]) => (codes ? sizes.map((each) => ({ ...each, grids: [] })) : sizes);
  const batch = batchShape(config, inBatch(exampleSizes), inBatch(documentSizes));
  const { sequenceLength } = batch;
  if (!base) checkImagePositions(config, batch);
  const vocabularySize = tokenizer.vocabularySize + (codes?.count ?? 0);
  const patchValues = diffusesImages(config.model) ? patchSize ** 2 * channels : 1;
  const implied = { vocabularySize, patchValues, sequenceLength };
  const model = base?.config.model ?? modelConfigOf(config, implied);
  const parts = {
    format: 'transfusion',
    version: 2,
    model,
    image: {
      ...imageConfig(imageSize, [
        ...(known ? imageSizes(known) : []),
        ...picturesOf([...images, ...unread], documents),
      ]),
      ...{ announced: layout.announced, channels: 3 },
    },
    codec: codec.config,
    diffusion: { ...config.diffusion, clampSample: clampOf(config, codec.config) },
    sampling: config.sampling,
    trainedOn: seenWith(
      seenIn({ examples: fitting, documents, texts }),
      options.seen?.trainedOn ?? base?.config.trainedOn,
    ),
  };
  const pipeline = parseConfig(pipelineConfigSchema, parts, 'configuration');
  checkNoiseCaps(documents, pipeline);
  const sizeTokens = announcingTokens(pipeline, tokenizer, { where: 'the tokenizer', code: 'CONFIG_IMAGE_SIZES' });
  const { eoi } = tokenizer.special;
  const sizes = {
    ...{ model, batch, lambda, zLoss, checkpointActivations, lora },
    ...(codes && { codes: { ...codes, eoi } }),
  };
  const textExamples = texts.map((each) => ({ ...each, ids: tokenizer.encode(each.text) }));
  return {
    ...{ config, examples, documents, streamed, tokenizer, codec, pipeline, sizes, sizeTokens, seed },
    texts: splitTexts(config, textExamples, {
      sequenceLength,
      maxPositions: model.maxPositions,
      special: tokenizer.special,
    }),
    phases: [{ from: 0, objective: objectiveOf(sizes) }],
    optimisation: { ...config, accumulation: config.batch.accumulation, precision },
    ...(base ? { base, ...weightsOfBase(base, lora) } : {}),
  };
}

function streamedExamples({ streamed, tokenizer, config }: TransfusionTaskOptions): StreamedExample[] {
  if (!streamed) return [];
  return streamed.images.map((number) => {
    return encodeExample({ ...streamed.stream.images[number], number }, { tokenizer, ...config.data });
  });
}

/** Where images are tokens: their ids. @throws TransfusionError CONFIG_CODEC */
function codesOf(
  { model }: TransfusionTrainingConfig,
  { base, codec, tokenizer }: { base?: BaseModel; codec: StoredCodec; tokenizer: Tokenizer },
): CodeIds | undefined {
  if (model.images !== 'tokens') return undefined;
  return base ? imageCodes(base.config) : codeIds(codec.config, tokenizer.vocabularySize);
}

/** @throws TransfusionError CONFIG_IMAGES: pictures are given to a plain language model */
function checkImages({ config, images = [], streamed, documents = [] }: TransfusionTaskOptions): void {
  const pictures =
    images.length +
    (streamed?.images.length ?? 0) +
    documents.flatMap(({ parts }) => parts.filter(({ kind }) => kind === 'image')).length;
  if (config.model.images !== 'none' || pictures === 0) return;
  throw new TransfusionError({
    code: 'CONFIG_IMAGES',
    message: `model.images is none, and there are ${pictures} pictures to train on`,
    fix: 'train it on texts alone (data.dataset=none and no data.documents with pictures), or choose model.images=diffusion or tokens',
  });
}

function squareOf(size: number | ImageSize | undefined): ImageSize | undefined {
  return typeof size === 'number' ? { width: size, height: size } : size;
}

/** All images of a run. */
function* picturesOf(images: readonly ImageSize[], documents: readonly DocumentExample[]): Generator<ImageSize> {
  yield* images;
  for (const { parts } of documents) for (const part of parts) if (part.kind === 'image') yield part;
}

/** The images of a model that knows several sizes: it goes on knowing them, whatever it is trained on next. */
function severalSizes(base: BaseModel | undefined): PipelineConfig['image'] | undefined {
  const image = base?.config.image;
  return image && (image.announced || imageSizes(image).length > 1) ? image : undefined;
}

/** Sizes that are announced once always are: a token without use would be one that the model cannot write. */
function withSizes(
  config: TransfusionTrainingConfig,
  known: PipelineConfig['image'] | undefined,
): TransfusionTrainingConfig {
  return known?.announced ? { ...config, data: { ...config.data, announceSizes: true } } : config;
}

/** The default size, and where there are others all of them, the default first. */
function imageConfig(size: ImageSize, images: Iterable<ImageSize>): { size: number | ImageSize; sizes?: ImageSize[] } {
  const all = distinctSizes(images);
  const others = all.filter((each) => !isSameSize(each, size));
  const sizes = [...all.filter((each) => isSameSize(each, size)), ...others];
  const { width, height } = size;
  return { size: width === height ? width : { width, height }, ...(others.length > 0 ? { sizes } : {}) };
}

function firstSize(images: readonly ImageSize[], documents: readonly DocumentExample[]): ImageSize {
  const [first] = picturesOf(images, documents);
  if (first) return { width: first.width, height: first.height };
  throw new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: 'there is no picture, and no size of an image is given',
    fix: 'give the size that the model would draw, as imageSize',
  });
}

/** A document is neither cut nor skipped. @throws TransfusionError DATA_DOCUMENT_TOO_LONG */
function checkedSize({ name }: DocumentExample, size: DocumentSize, config: TransfusionTrainingConfig): DocumentSize {
  const [row, model] = [config.batch.sequenceLength ?? Infinity, config.model.maxPositions ?? Infinity];
  if (size.length <= row && size.positions <= model) return size;
  const [needed, field, most] =
    size.length > row ? [size.length, 'batch.sequenceLength', row] : [size.positions, 'model.maxPositions', model];
  throw new TransfusionError({
    code: 'DATA_DOCUMENT_TOO_LONG',
    message: `${name} takes ${needed} positions, ${field} allows ${most}`,
    fix: `raise it to at least ${needed}, or split the document; larger patches make shorter documents`,
  });
}

/** @throws TransfusionError CONFIG_IMAGE_POSITIONS */
function checkImagePositions({ model }: TransfusionTrainingConfig, { grids }: BatchShape): void {
  if (model.imagePositions !== '2d' || grids.length > 0) return;
  throw new TransfusionError({
    code: 'CONFIG_IMAGE_POSITIONS',
    message: 'model.imagePositions is 2d, and there is no image: texts alone have one dimension',
    fix: 'leave it out (1d is the same for texts), or give pictures or documents with images',
  });
}

/** Before the first step, not at the one that draws the document. @throws TransfusionError DATA_TIMESTEP_CAP */
function checkNoiseCaps(documents: readonly DocumentExample[], pipeline: PipelineConfig): void {
  const { trainTimesteps } = createObjective(objectiveOptions(pipeline)).noiseSchedule.config;
  for (const { name, parts } of documents) {
    for (const part of parts) {
      if (part.kind === 'text' || part.noiseCap === undefined) continue;
      if (part.noiseCap >= 1 && part.noiseCap <= trainTimesteps) continue;
      throw new TransfusionError({
        code: 'DATA_TIMESTEP_CAP',
        message: `${name} has an image whose noiseCap is ${part.noiseCap}, expected 1 to ${trainTimesteps} (the schedule's timesteps)`,
        fix: 'leave it out where all noise is wanted',
      });
    }
  }
}

/** Pixels are in [-1, 1]; scaled latents have deviation 1 and no bounds. */
function clampOf({ diffusion: { clampSample } }: TransfusionTrainingConfig, { kind }: CodecConfig): number | null {
  if (clampSample !== undefined) return clampSample;
  return kind === 'pixels' ? 1.5 : 4;
}

/** The latents of an image of so many pixels, which must divide into patches. @throws TransfusionError CODEC_IMAGE_SIZE, CONFIG_PATCH_SIZE */
export function latentGrid({ height, width }: ImageGrid, patchSize: number, codec: CodecConfig): LatentShape {
  const latent = latentShapeOf(codec, { height, width });
  if (latent.height % patchSize === 0 && latent.width % patchSize === 0) return latent;
  const size = `${latent.width} x ${latent.height}`;
  throw new TransfusionError({
    code: 'CONFIG_PATCH_SIZE',
    message: `patchSize: an image of ${width} x ${height} has latents of ${size} (codec: ${codec.kind}), and ${size} does not divide into patches of ${patchSize} x ${patchSize}`,
    fix: 'choose a patch size that divides the latents',
  });
}

/** Training and held-out examples. */
export function splitExamples<One extends Pick<Example, 'group' | 'split'>>(
  { data }: Pick<TransfusionTrainingConfig, 'data'>,
  examples: readonly One[],
) {
  return splitAsConfigured(data, examples);
}

type Grouped = Pick<Example, 'group' | 'split'>;

/** Pictures and documents by one split: those of one group stay together. */
export function splitTogether<One extends Grouped, Other extends Grouped>(
  config: Pick<TransfusionTrainingConfig, 'data'>,
  examples: readonly One[],
  documents: readonly Other[],
): { examples: Split<One>; documents: Split<Other> } {
  const held = new Set<unknown>(splitExamples(config, [...examples, ...documents] as Grouped[]).heldOut);
  const split = <One>(all: readonly One[]) => ({
    train: all.filter((one) => !held.has(one)),
    heldOut: all.filter((one) => held.has(one)),
  });
  return { examples: split(examples), documents: split(documents) };
}

/** Rows of training and of held-out texts. */
function splitTexts(
  { data }: TransfusionTrainingConfig,
  texts: readonly TextExample[],
  layout: TextLayout,
): Split<TextRow> {
  const { train, heldOut } = splitTextExamples(texts, data.heldOutFraction);
  const rows = (some: readonly TextExample[]) =>
    textRows(
      some.map(({ ids }) => ids),
      layout,
    );
  return { train: rows(train), heldOut: rows(heldOut) };
}
