/** @file `config.json` of a model folder: all that sampling needs to know besides weights and tokenizer. */
import type { PatchGrid } from '@transfusion/data';
import { type ObjectiveOptions, parameterisationSchema } from '@transfusion/schedulers';
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
  size: z.int().min(1).max(8192).describe('height and width of images, in pixels'),
  channels: z.literal(3).default(3).describe('red, green, blue'),
  patchSize: z.int().min(1).describe('side of the square of latents that is one position of the sequence'),
});

export const diffusionConfigSchema = z.strictObject({
  trainTimesteps: z.int().min(1).default(1000).describe('timesteps that training draws from'),
  schedule: z
    .enum(['cosine', 'flow'])
    .default('cosine')
    .describe('how much noise a timestep means: cosine (the paper), or the straight line of flow matching'),
  parameterisation: parameterisationSchema.default('epsilon'),
  clampSample: z
    .number()
    .positive()
    .nullable()
    .default(1.5)
    .describe('ddim and ddpm clamp the estimate of the clean latents to [-clampSample, clampSample]; null: no clamp'),
});

export const samplingDefaultsSchema = z.strictObject({
  steps: z.int().min(1).default(50).describe('denoising steps of an image'),
  guidance: z
    .number()
    .default(3)
    .describe('classifier-free guidance scale; 1: none; 0: without regard to the text; below: away from it'),
  scheduler: z.enum(['ddim', 'ddpm', 'euler']).default('ddim').describe('step rule; euler is for the flow schedule'),
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
  version: z.literal(1).describe('version of the folder format'),
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
  const { size, patchSize } = image;
  const factor = codec.kind === 'pixels' ? 1 : downsamplingFactor(codec.autoencoder);
  const channels = codec.kind === 'pixels' ? image.channels : latentChannels(codec.autoencoder);
  const side = size / factor;
  if (size % factor !== 0) {
    const below = factor * Math.floor(side);
    const sizes = below <= 0 ? `${factor} at least` : `for example ${below} or ${below + factor}`;
    issue(['image', 'size'], `must be a multiple of ${factor}, the downsampling of the codec: ${sizes}`);
  } else if (side % patchSize !== 0) {
    issue(['image', 'patchSize'], `latents of ${side} x ${side} do not divide into such patches`);
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
  const isEuler = config.sampling.scheduler === 'euler';
  if (isEuler !== (config.diffusion.schedule === 'flow')) {
    issue(['sampling', 'scheduler'], 'euler is for the flow schedule, ddim and ddpm for the cosine schedule');
  }
  if (!isEuler && config.sampling.steps > config.diffusion.trainTimesteps) {
    issue(['sampling', 'steps'], `at most diffusion.trainTimesteps, ${config.diffusion.trainTimesteps}`);
  }
  if (config.diffusion.schedule === 'flow' && config.diffusion.parameterisation === 'epsilon') {
    issue(['diffusion', 'parameterisation'], 'the flow schedule starts at pure noise: predict flow, v or sample');
  }
});

export type PipelineConfig = z.output<typeof pipelineConfigSchema>;
export type PipelineConfigInput = z.input<typeof pipelineConfigSchema>;

/** How an image lies in the sequence. */
export interface ImageLayout {
  /** Height and width in pixels. */
  size: number;
  latent: LatentShape;
  /** Of the latents, for `patchify`. */
  grid: PatchGrid;
  /** Positions an image takes, BOI and EOI not counted (the paper's n). */
  patches: number;
}

export function imageLayout(config: PipelineConfig): ImageLayout {
  const { size, patchSize } = config.image;
  const latent = latentShapeOf(config.codec, { height: size, width: size });
  return {
    size,
    latent,
    grid: { ...latent, patchSize },
    patches: (latent.height / patchSize) * (latent.width / patchSize),
  };
}

/** What `createObjective` and the schedulers of @transfusion/schedulers take: training and sampling must agree on it. */
export function objectiveOptions(config: PipelineConfig): Required<ObjectiveOptions> {
  const { parameterisation, schedule, trainTimesteps } = config.diffusion;
  return { parameterisation, noiseSchedule: { type: schedule, trainTimesteps } };
}
