/** @file Requests of POST /v1/chat/completions. */
import { z } from 'zod';
import * as field from './fields.js';

const textPart = z.strictObject({ type: z.literal('text'), text: field.text });

const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({
    url: field.address.describe('a data URL'),
    detail: z.enum(['auto', 'low', 'high']).nullish(),
  }),
  index: z.int().nullish(),
});

const content = z.union([field.text, z.array(z.discriminatedUnion('type', [textPart, imagePart])).max(64)]);
const name = field.nothing.text;

const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'user']), content, name }),
  z.strictObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    images: z.array(imagePart).max(16).nullish().describe('as an answer has them; after the content'),
    name,
    refusal: z.null().optional(),
    audio: z.null().optional(),
    function_call: z.null().optional(),
    tool_calls: field.nothing.none,
    annotations: field.nothing.none,
  }),
]);

export const DEFAULT_TOKENS = 256;
const tokens = z.int().min(1).max(1_000_000).optional();

export const chatSchema = z
  .strictObject({
    model: field.model,
    messages: z.array(messageSchema).min(1).max(256),
    max_tokens: tokens,
    max_completion_tokens: tokens.describe(`text tokens; default: ${DEFAULT_TOKENS}`),
    ...field.textSampling,
    stop: z
      .union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(4)])
      .default([])
      .transform((stop) => (typeof stop === 'string' ? [stop] : stop)),
    seed: field.seed,
    n: field.n,
    stream: field.stream,
    stream_options: z
      .strictObject({ include_usage: z.boolean().default(false), include_obfuscation: field.nothing.flag })
      .optional(),
    modalities: z
      .array(z.enum(['text', 'image']))
      .min(1)
      .max(2)
      .optional()
      .describe(
        "['text']: no images; ['image']: an image at once, and nothing after it; default: what the model writes",
      ),
    size: field.size,
    output_format: field.outputFormat,
    output_compression: field.outputCompression,
    ...field.drawing,
    user: field.nothing.text,
    safety_identifier: field.nothing.text,
    prompt_cache_key: field.nothing.text,
    prompt_cache_retention: field.nothing.text,
    metadata: field.nothing.metadata,
    service_tier: field.nothing.tier,
    store: field.nothing.no,
    logprobs: field.nothing.no,
    top_logprobs: field.nothing.zero,
    frequency_penalty: field.nothing.zero,
    presence_penalty: field.nothing.zero,
    logit_bias: field.nothing.empty,
    tools: field.nothing.none,
    functions: field.nothing.none,
    tool_choice: z.enum(['none', 'auto']).optional(),
    function_call: z.enum(['none', 'auto']).optional(),
    parallel_tool_calls: field.nothing.flag,
    response_format: z.strictObject({ type: z.literal('text') }).optional(),
    reasoning_effort: z.literal('none').optional(),
    verbosity: z.literal('medium').optional(),
  })
  .superRefine(({ max_tokens, max_completion_tokens, stream, stream_options }, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (max_tokens !== undefined && max_completion_tokens !== undefined && max_tokens !== max_completion_tokens) {
      issue('max_tokens', `it is ${max_tokens}, max_completion_tokens ${max_completion_tokens}, give one of them`);
    }
    if (stream_options && !stream) issue('stream_options', "it is for streams only, give 'stream': true");
  });

export type ChatRequest = z.output<typeof chatSchema>;
