/** @file `config.json` of a model folder: all that sampling needs to know besides weights and tokenizer. */
import { type CodeIds, formatImageSize, type ImageSize, isSameSize, patchCount } from '@transfusion/data';
import {
  diffusionConfigSchema,
  diffusionObjective,
  type ObjectiveOptions,
  samplingDefaultsSchema,
  samplingProblems,
} from '@transfusion/schedulers';
import { diffusesImages, modelConfigSchema } from '@transfusion/transformer';
import {
  codecConfigSchema,
  downsamplingFactor,
  type LatentShape,
  latentChannels,
  latentShapeOf,
} from '@transfusion/vae';
import { z } from 'zod';

const lengthSchema = z.int().min(1).max(8192);
const imageSizeSchema = z.strictObject({
  width: lengthSchema.describe('in pixels'),
  height: lengthSchema.describe('in pixels'),
});

export const imageConfigSchema = z.strictObject({
  size: z
    .union([lengthSchema, imageSizeSchema])
    .describe(
      'of the images that are drawn where no other is asked for, in pixels: side of a square, or width and height',
    ),
  sizes: z
    .array(imageSizeSchema)
    .min(1)
    .max(1024)
    .optional()
    .describe('all sizes of images that the model was trained on; default: the one of `size`'),
  announced: z
    .boolean()
    .default(false)
    .describe(
      'a token stands before each image and tells its size: the model chooses sizes; else whoever asks for an image',
    ),
  channels: z.literal(3).default(3).describe('red, green, blue'),
});

export const trainedOnSchema = z
  .strictObject({
    pictures: z.boolean().describe('without them and documents it cannot draw'),
    captions: z
      .boolean()
      .describe('of pictures; without, and without documents, it draws whatever the text says, and describes nothing'),
    documents: z
      .boolean()
      .optional()
      .describe('of texts and pictures in any order; missing where they were told as pictures with captions'),
    edits: z
      .boolean()
      .optional()
      .describe('documents that draw a picture after another one; missing where it is not known'),
    texts: z.boolean().describe('plain ones'),
  })
  .describe('what the model has seen; nothing where that is not known');

const fields = z.strictObject({
  format: z.literal('transfusion').describe('marks the folder as a model of this project'),
  version: z.literal(2).describe('version of the folder format'),
  model: modelConfigSchema,
  image: imageConfigSchema,
  codec: codecConfigSchema.prefault({ kind: 'pixels' }),
  diffusion: diffusionConfigSchema.prefault({}),
  sampling: samplingDefaultsSchema.prefault({}).describe('used where the caller asks for nothing else'),
  trainedOn: trainedOnSchema.optional(),
});

type Issue = (path: (string | number)[], message: string) => void;

/** Sizes must go together: the codec halves the image some times, patches divide what is left. */
function checkSizes(config: z.output<typeof fields>, issue: Issue): void {
  const { image, codec, model } = config;
  const { size } = image;
  const { patchSize } = model;
  const factor = codec.kind === 'pixels' ? 1 : downsamplingFactor(codec.autoencoder);
  const channels = codec.kind === 'pixels' ? image.channels : latentChannels(codec.autoencoder);
  if (typeof size === 'number') {
    const side = size / factor;
    if (size % factor !== 0) {
      const below = factor * Math.floor(side);
      const sizes = below <= 0 ? `${factor} at least` : `for example ${below} or ${below + factor}`;
      issue(['image', 'size'], `must be a multiple of ${factor}, the downsampling of the codec: ${sizes}`);
    } else if (side % patchSize !== 0) {
      issue(['model', 'patchSize'], `latents of ${side} x ${side} do not divide into such patches`);
    }
  } else checkDivides(size, { factor, patchSize }, (message) => issue(['image', 'size'], message));
  checkSizeList(image, { factor, patchSize }, issue);
  if (!diffusesImages(model)) return;
  const patchValues = patchSize ** 2 * channels;
  if (model.patchValues !== patchValues) {
    const product = `${patchSize} x ${patchSize} x ${channels} = ${patchValues}`;
    issue(['model', 'patchValues'], `a patch has ${product} values`);
  }
}

/** Images that are tokens are codes of a VQ autoencoder, and the vocabulary has them after the ids of text. */
function checkCodes({ model, codec }: z.output<typeof fields>, issue: (path: string[], message: string) => void): void {
  if (model.images !== 'tokens') return;
  if (codec.kind !== 'vq') {
    issue(['codec', 'kind'], "must be 'vq' where model.images is tokens: other codecs have no codes");
  } else if (model.vocabularySize <= codec.autoencoder.num_vq_embeddings) {
    const codes = codec.autoencoder.num_vq_embeddings;
    issue(['model', 'vocabularySize'], `must hold the ${codes} codes of the codec, and the ids of text before them`);
  }
}

/** Every size is there once, fits, and the default is among them. */
function checkSizeList(
  image: z.output<typeof imageConfigSchema>,
  divisors: { factor: number; patchSize: number },
  issue: Issue,
): void {
  const { sizes } = image;
  if (!sizes) return;
  const size = defaultImageSize(image);
  sizes.forEach((each, i) => {
    if (sizes.findIndex((other) => isSameSize(each, other)) < i) {
      issue(['image', 'sizes', i], `${formatImageSize(each)} is there twice`);
    } else if (!isSameSize(each, size)) {
      checkDivides(each, divisors, (message) => issue(['image', 'sizes', i], message));
    }
  });
  if (!sizes.some((each) => isSameSize(each, size))) {
    const known = sizes.map(formatImageSize).join(', ');
    issue(['image', 'size'], `${formatImageSize(size)} is not among image.sizes: ${known}`);
  }
}

function checkDivides(
  size: ImageSize,
  { factor, patchSize }: { factor: number; patchSize: number },
  issue: (message: string) => void,
): void {
  const unit = factor * patchSize;
  if (size.width % unit === 0 && size.height % unit === 0) return;
  const because = `${factor}, the downsampling of the codec, times ${patchSize}, the patch size`;
  issue(
    `${formatImageSize(size)}: width and height must be multiples of ${unit} (${because}): for example ${formatImageSize(dividingSize(size, unit))}`,
  );
}

/** The nearest size that divides. */
export function dividingSize({ width, height }: ImageSize, unit: number): ImageSize {
  const near = (length: number) => Math.max(unit, unit * Math.round(length / unit));
  return { width: near(width), height: near(height) };
}

export const pipelineConfigSchema = fields.superRefine((config, context) => {
  const issue: Issue = (path, message) => context.addIssue({ code: 'custom', path, message });
  checkSizes(config, issue);
  checkCodes(config, issue);
  for (const { path, message } of samplingProblems(config)) issue(path, message);
});

/** What a `config.json` says to transformers and to the Hub, which tell models by it: nothing that other fields do not. */
export const HUB_IDENTITY = { model_type: 'transfusion', architectures: ['TransfusionModel'] } as const;

/**
 * The `config.json` of an earlier version as one of this: version 1 had the patch size with the image. What stands in it for others
 * (`HUB_IDENTITY`, `dtype`) is left out.
 */
export function upgradedConfig(json: unknown): unknown {
  const own = withoutIdentity(json);
  if (!isRecord(own) || own.version !== 1 || !isRecord(own.image) || !isRecord(own.model)) return own;
  const { patchSize, ...image } = own.image;
  // Null where it is missing, so that the error names it.
  return { ...own, version: 2, model: { patchSize: patchSize ?? null, ...own.model }, image };
}

function withoutIdentity(json: unknown): unknown {
  if (!isRecord(json) || json.format !== 'transfusion' || json.model_type !== HUB_IDENTITY.model_type) return json;
  const { model_type, architectures, dtype, transformers_version, ...own } = json;
  return own;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export type PipelineConfig = z.output<typeof pipelineConfigSchema>;
/** What drawing depends on. */
export type DrawingConfig = Pick<PipelineConfig, 'diffusion' | 'sampling'> & {
  model: Pick<PipelineConfig['model'], 'images'>;
};

export type PipelineConfigInput = z.input<typeof pipelineConfigSchema>;

/** How an image lies in the sequence. */
export interface ImageLayout extends ImageSize {
  /** Of its latents; where images are tokens, of its codes, one channel. */
  latent: LatentShape;
  /** Positions an image takes, control tokens not counted (the paper's n): patches or, where images are tokens, codes. */
  patches: number;
}

/** The size of images where no other is asked for. */
export function defaultImageSize({ size }: Pick<PipelineConfig['image'], 'size'>): ImageSize {
  return typeof size === 'number' ? { width: size, height: size } : size;
}

/** The sizes that a model was trained on, in the configuration's order. */
export function imageSizes(image: Pick<PipelineConfig['image'], 'size' | 'sizes'>): ImageSize[] {
  return image.sizes ?? [defaultImageSize(image)];
}

/** @throws TransfusionError CODEC_IMAGE_SIZE, DATA_PATCH_SIZE: an image of that size has no latents, or these no patches */
export function imageLayout(config: PipelineConfig, size: ImageSize = defaultImageSize(config.image)): ImageLayout {
  const { width, height } = size;
  const latent = latentShapeOf(config.codec, { height, width });
  const patches = patchCount(latent, config.model.patchSize);
  return { width, height, latent: config.model.images === 'tokens' ? { ...latent, channels: 1 } : latent, patches };
}

/** The ids of the codes of images, where images are tokens: the last of the vocabulary. */
export function imageCodes({ model, codec }: Pick<PipelineConfig, 'model' | 'codec'>): CodeIds | undefined {
  if (model.images !== 'tokens' || codec.kind !== 'vq') return undefined;
  const count = codec.autoencoder.num_vq_embeddings;
  return { first: model.vocabularySize - count, count };
}

/** How many ids a tokenizer of the model may have. */
export function textVocabularySize(config: Pick<PipelineConfig, 'model' | 'codec'>): number {
  return imageCodes(config)?.first ?? config.model.vocabularySize;
}

/** What `createObjective` and the schedulers of @transfusion/schedulers take: training and sampling must agree on it. */
export function objectiveOptions({ diffusion }: Pick<PipelineConfig, 'diffusion'>): Required<ObjectiveOptions> {
  return diffusionObjective(diffusion);
}
