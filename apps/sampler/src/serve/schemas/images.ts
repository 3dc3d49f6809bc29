/** @file Requests for images: POST /v1/images/generations and /v1/images/edits. */
import { z } from 'zod';
import * as field from './fields.js';

const common = {
  model: field.model,
  prompt: field.text.describe('what to draw; an empty text draws anything'),
  n: field.n,
  size: field.size,
  response_format: z
    .enum(['b64_json', 'url'])
    .default('b64_json')
    .describe('url: a data URL, as this server keeps no files; not in a stream'),
  output_format: field.outputFormat,
  output_compression: field.outputCompression,
  stream: field.stream,
  partial_images: field.partialImages,
  seed: field.seed,
  ...field.drawing,
  user: field.nothing.text,
  quality: z.enum(['auto', 'standard']).optional(),
  background: z.enum(['auto', 'opaque']).optional(),
};

/** What fields say against each other. */
function checkTogether(given: z.output<typeof streamed>, context: z.RefinementCtx): void {
  const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  if (given.stream && given.response_format === 'url') {
    issue('response_format', "events carry b64_json, leave response_format out or give 'b64_json'");
  }
  if (!given.stream && given.partial_images > 0)
    issue('partial_images', "they come in a stream only, give 'stream': true");
  if (given.output_format === 'png' && given.output_compression < 100) {
    issue('output_compression', "PNG files lose nothing, leave it out or give 'output_format': 'jpeg' or 'webp'");
  }
}

const { stream, response_format, partial_images, output_format, output_compression } = common;
const streamed = z.object({ stream, response_format, partial_images, output_format, output_compression });

export const imageGenerationSchema = z
  .strictObject({
    ...common,
    moderation: z.enum(['auto', 'low']).optional(),
    style: z.enum(['natural']).optional(),
  })
  .superRefine(checkTogether);

/** The fields of the form; its files are `image` (or `image[]`) and `mask`. */
export const imageEditSchema = z
  .strictObject({
    ...common,
    strength: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe(
        'noises the image to this share of the steps and draws it anew from there; default: what the model was trained to do with an instruction, else 0.6; with a mask 1',
      ),
    input_fidelity: z.enum(['low']).optional(),
  })
  .superRefine(checkTogether);

export type ImageGeneration = z.output<typeof imageGenerationSchema>;
export type ImageEdit = z.output<typeof imageEditSchema>;

const NUMBERS = new Set([
  ...['n', 'output_compression', 'partial_images', 'seed', 'num_inference_steps', 'guidance_scale', 'strength'],
]);

/** The fields of a form are texts: those that are numbers and flags as such, where they are written so. */
export function formValues(fields: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, text]) => {
      if (NUMBERS.has(name) && /^-?\d+(\.\d+)?$/.test(text)) return [name, Number(text)];
      if (name === 'stream' && (text === 'true' || text === 'false')) return [name, text === 'true'];
      return [name, text];
    }),
  );
}
