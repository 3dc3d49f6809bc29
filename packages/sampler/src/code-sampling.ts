/** @file How an image of tokens is drawn, as the caller may choose it. */
import type { z } from 'zod';
import type { TextSampling } from './choose-token.js';
import type { DrawingConfig } from './config.js';
import { checkUnguided, type ImageSamplingOptions, imageSamplingSchema, refuseOptions } from './image-sampling.js';
import { parseOptions } from './parse-options.js';

/** How codes are chosen; the guidance scale, and away from what. */
export interface CodeSampling {
  codes: TextSampling;
  guidance: number;
  negativePrompt: string;
}

/** An image to start from, or a part of it to repaint: whatever it is, it is refused. */
interface GivenSource {
  from?: unknown;
  mask?: unknown;
}

/** @throws TransfusionError SAMPLER_OPTIONS: ill-typed, or an option of denoising, or one that does nothing */
export function resolveCodeSampling(
  config: DrawingConfig,
  options: ImageSamplingOptions & { strength?: number } = {},
  source: GivenSource = {},
): CodeSampling {
  const given = parseOptions('image', imageSamplingSchema, options);
  const { temperature = 1, topK, topP, minP, negativePrompt = '', ...others } = given;
  const { guidance = config.sampling.guidance, ...ofDenoising } = others;
  refuseOptions(
    { ...source, ...ofDenoising },
    {
      because: "this model's images are tokens, not denoised",
      own: ['guidance', 'negativePrompt', 'temperature', 'topK', 'topP', 'minP'],
    },
  );
  if (guidance === 1) checkUnguided({ negativePrompt });
  return { codes: { temperature, topK, topP, minP }, guidance, negativePrompt };
}

/** The options with everything that was left to the model, or to a default. @throws as `resolveCodeSampling` */
export function completeCodeSampling(
  config: DrawingConfig,
  options: ImageSamplingOptions,
  source: GivenSource = {},
): z.output<typeof imageSamplingSchema> {
  const { codes, guidance, negativePrompt } = resolveCodeSampling(config, options, source);
  return imageSamplingSchema.parse({ guidance, ...(negativePrompt && { negativePrompt }), ...codes });
}
