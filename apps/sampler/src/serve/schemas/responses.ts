/** @file Requests of POST /v1/responses. */
import { z } from 'zod';
import { DEFAULT_TOKENS } from './chat.js';
import * as field from './fields.js';

const text = (type: 'input_text' | 'output_text') =>
  z.strictObject({
    type: z.literal(type),
    text: field.text,
    annotations: field.nothing.none,
    logprobs: field.nothing.none,
  });

const contentPart = z.discriminatedUnion('type', [
  text('input_text'),
  text('output_text'),
  z.strictObject({
    type: z.literal('input_image'),
    image_url: field.address.describe('a data URL'),
    detail: z.enum(['auto', 'low', 'high', 'original']).nullish(),
    file_id: z.null().optional(),
  }),
]);

const identity = { id: field.nothing.text, status: field.nothing.text };

const messageSchema = z.strictObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([field.text, z.array(contentPart).max(64)]),
  phase: field.nothing.text,
  ...identity,
});

const imageSchema = z.strictObject({
  type: z.literal('image_generation_call'),
  result: field.address.describe('a picture in base64, as an answer has it'),
  ...identity,
});

const imageToolSchema = z.strictObject({
  type: z.literal('image_generation'),
  model: field.nothing.text,
  size: field.size,
  output_format: field.outputFormat,
  output_compression: field.outputCompression,
  partial_images: field.partialImages,
  ...field.drawing,
  action: z.enum(['auto', 'generate']).optional(),
  quality: z.enum(['auto']).optional(),
  background: z.enum(['auto', 'opaque']).optional(),
  moderation: z.enum(['auto', 'low']).optional(),
  input_fidelity: z.enum(['low']).nullish(),
});

export const responseSchema = z
  .strictObject({
    model: field.model,
    input: z.union([
      field.text,
      z
        .array(z.union([messageSchema, imageSchema]))
        .min(1)
        .max(256),
    ]),
    instructions: field.text.optional().describe('stand before the input'),
    max_output_tokens: z.int().min(1).max(1_000_000).default(DEFAULT_TOKENS).describe('text tokens'),
    ...field.textSampling,
    seed: field.seed,
    stream: field.stream,
    tools: z
      .array(imageToolSchema)
      .max(1)
      .default([])
      .describe('with image_generation the model may draw; without it writes text alone'),
    tool_choice: z
      .union([z.enum(['none', 'auto', 'required']), z.strictObject({ type: z.literal('image_generation') })])
      .default('auto')
      .describe('required, or the tool itself: begins with an image'),
    user: field.nothing.text,
    safety_identifier: field.nothing.text,
    prompt_cache_key: field.nothing.text,
    prompt_cache_retention: field.nothing.text,
    metadata: field.nothing.metadata,
    service_tier: field.nothing.tier,
    store: field.nothing.no.describe('this server keeps nothing'),
    background: field.nothing.no,
    include: field.nothing.none,
    parallel_tool_calls: field.nothing.flag,
    truncation: z.literal('disabled').optional(),
    text: z
      .strictObject({
        format: z.strictObject({ type: z.literal('text') }).optional(),
        verbosity: z.literal('medium').nullish(),
      })
      .optional(),
    stream_options: z.strictObject({ include_obfuscation: field.nothing.flag }).optional(),
    reasoning: z.strictObject({ effort: z.literal('none').nullish(), summary: z.null().optional() }).optional(),
  })
  .superRefine(({ tools, tool_choice }, context) => {
    const asks = tool_choice === 'required' || typeof tool_choice === 'object';
    if (asks && tools.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['tool_choice'],
        message: "there is no tool to choose, give 'tools': [{ 'type': 'image_generation' }]",
      });
    }
    tools.forEach(({ output_format, output_compression }, i) => {
      if (output_format !== 'png' || output_compression === 100) return;
      const message = "PNG files lose nothing, leave it out or give 'output_format': 'jpeg' or 'webp'";
      context.addIssue({ code: 'custom', path: ['tools', i, 'output_compression'], message });
    });
  });

export type ResponseRequest = z.output<typeof responseSchema>;
