/** @file Fields that several requests have. */
import { PICTURE_FORMATS } from '@transfusion/app-common';
import type { ImageSize } from '@transfusion/data';
import { z } from 'zod';

/** Image i of several has the seed plus i. */
const MOST_AT_ONCE = 10;

export const model = z.string().min(1).max(256).optional().describe('one of GET /v1/models; default: the first');

export const n = z.int().min(1).max(MOST_AT_ONCE).default(1);

export const seed = z
  .int()
  .min(0)
  .max(2 ** 53 - 1 - MOST_AT_ONCE)
  .optional()
  .describe('the same seed gives the same answer; of several, number i has this plus i; default: a random one');

export const stream = z.boolean().default(false);

const SIZE = /^[1-9]\d{0,4}x[1-9]\d{0,4}$/;

export const size = z
  .union([z.literal('auto'), z.string().regex(SIZE, "expected 'auto' or WIDTHxHEIGHT in pixels, such as '64x64'")])
  .default('auto')
  .describe('in pixels, as in 64x64: a size that the model draws; auto: the one that it chooses, or its own')
  .transform((text) => (text === 'auto' ? undefined : sizeOf(text)));

/** Whether a model draws it is the model's to say. */
function sizeOf(text: string): ImageSize {
  const [width, height] = text.split('x').map(Number);
  return { width, height };
}

/** How images are drawn, by the names of vLLM-Omni. */
export const drawing = {
  num_inference_steps: z.int().min(1).max(200).optional().describe("denoising steps; default: the model's"),
  guidance_scale: z
    .number()
    .optional()
    .describe("how strictly images follow the text; 1: no guidance; default: the model's"),
  negative_prompt: z.string().max(32_000).optional().describe('what guidance leads away from'),
};

export const outputFormat = z.enum(PICTURE_FORMATS).default('png');

export const outputCompression = z
  .int()
  .min(0)
  .max(100)
  .default(100)
  .describe('quality of JPEG and WebP, 100 the best; PNG files lose nothing');

export const partialImages = z.int().min(0).max(3).default(0).describe('previews of each image, in a stream');

/** Fields of OpenAI's API that ask for nothing here are accepted with values that ask for nothing. */
export const nothing = {
  text: z.string().max(1024).nullish(),
  flag: z.boolean().nullish(),
  zero: z.literal(0).nullish(),
  no: z.literal(false).nullish(),
  none: z.array(z.never()).max(0).nullish(),
  empty: z.strictObject({}).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  tier: z.enum(['auto', 'default']).nullish(),
};

const LONGEST_TEXT = 32_000;

export const text = z.string().max(LONGEST_TEXT);

export const textSampling = {
  temperature: z.number().min(0).max(2).default(1).describe('0 takes the most likely token'),
  top_p: z.number().gt(0).max(1).default(1),
  top_k: z.int().min(1).optional().describe('among the k most likely tokens'),
  min_p: z.number().min(0).max(1).optional().describe('among tokens at least so many times as likely as the first'),
};

/** Base64 of a picture; the body's own limit holds it. */
export const address = z.string();
