/** @file `config.json` of a model folder: all that sampling needs to know besides weights and tokenizer. */
import { patchCount } from '@transfusion/data';
import {
  diffusionConfigSchema,
  diffusionObjective,
  type ObjectiveOptions,
  samplingDefaultsSchema,
  samplingProblems,
} from '@transfusion/schedulers';
import { modelConfigSchema } from '@transfusion/transformer';
import {
  codecConfigSchema,
  downsamplingFactor,
  type LatentShape,
  latentChannels,
  latentShapeOf,
} from '@transfusion/vae';
import { z } from 'zod';

export const imageConfigSchema = z.strictObject({
  size: z.int().min(1).max(8192).describe('height and width of the images that are drawn, in pixels'),
  channels: z.literal(3).default(3).describe('red, green, blue'),
});

export const trainedOnSchema = z
  .strictObject({
    pictures: z.boolean().describe('without: it cannot draw'),
    captions: z.boolean().describe('of pictures; without: it draws whatever the text says, and describes nothing'),
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

/** Sizes must go together: the codec halves the image some times, patches divide what is left. */
function checkSizes(config: z.output<typeof fields>, issue: (path: string[], message: string) => void): void {
  const { image, codec, model } = config;
  const { size } = image;
  const { patchSize } = model;
  const factor = codec.kind === 'pixels' ? 1 : downsamplingFactor(codec.autoencoder);
  const channels = codec.kind === 'pixels' ? image.channels : latentChannels(codec.autoencoder);
  const side = size / factor;
  if (size % factor !== 0) {
    const below = factor * Math.floor(side);
    const sizes = below <= 0 ? `${factor} at least` : `for example ${below} or ${below + factor}`;
    issue(['image', 'size'], `must be a multiple of ${factor}, the downsampling of the codec: ${sizes}`);
  } else if (side % patchSize !== 0) {
    issue(['model', 'patchSize'], `latents of ${side} x ${side} do not divide into such patches`);
  }
  const patchValues = patchSize ** 2 * channels;
  if (model.patchValues !== patchValues) {
    const product = `${patchSize} x ${patchSize} x ${channels} = ${patchValues}`;
    issue(['model', 'patchValues'], `a patch has ${product} values`);
  }
}

export const pipelineConfigSchema = fields.superRefine((config, context) => {
  const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  checkSizes(config, issue);
  for (const { path, message } of samplingProblems(config)) issue(path, message);
});

/** The `config.json` of an earlier version as one of this: version 1 had the patch size with the image. */
export function upgradedConfig(json: unknown): unknown {
  if (!isRecord(json) || json.version !== 1 || !isRecord(json.image) || !isRecord(json.model)) return json;
  const { patchSize, ...image } = json.image;
  // Null where it is missing, so that the error names it.
  return { ...json, version: 2, model: { patchSize: patchSize ?? null, ...json.model }, image };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export type PipelineConfig = z.output<typeof pipelineConfigSchema>;
export type PipelineConfigInput = z.input<typeof pipelineConfigSchema>;

/** How an image lies in the sequence. */
export interface ImageLayout {
  /** Height and width in pixels. */
  size: number;
  latent: LatentShape;
  /** Positions an image takes, BOI and EOI not counted (the paper's n). */
  patches: number;
}

export function imageLayout(config: PipelineConfig): ImageLayout {
  const { size } = config.image;
  const latent = latentShapeOf(config.codec, { height: size, width: size });
  return { size, latent, patches: patchCount(latent, config.model.patchSize) };
}

/** What `createObjective` and the schedulers of @transfusion/schedulers take: training and sampling must agree on it. */
export function objectiveOptions({ diffusion }: Pick<PipelineConfig, 'diffusion'>): Required<ObjectiveOptions> {
  return diffusionObjective(diffusion);
}
