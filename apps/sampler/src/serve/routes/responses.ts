/** @file POST /v1/responses. */
import { imageSizes, type PromptPart } from '@transfusion/sampler';
import type { FastifyInstance } from 'fastify';
import { toApiError } from '../api-error.js';
import { beginJob, type Context, seedsOf, stream } from '../context.js';
import type { ServerEvent } from '../http/event-stream.js';
import { decodeBase64, readDataUrl } from '../pictures/data-url.js';
import { toBase64 } from '../pictures/write-picture.js';
import { checkBody } from '../schemas/check-body.js';
import { type ResponseRequest, responseSchema } from '../schemas/responses.js';
import { GrowingResponse } from '../shapes/responses.js';
import { documentOf, type GivenPart } from '../work/collect-document.js';
import { patchesOf } from '../work/draw.js';
import { promptTokens } from '../work/prompt-tokens.js';
import type { ServedModel } from '../work/served-model.js';
import { type Writing, type WritingEvent, write } from '../work/write.js';

export function responseRoutes(app: FastifyInstance, context: Context): void {
  app.post('/v1/responses', async (request, reply) => {
    const body = checkBody(responseSchema, request.body);
    const model = context.models.find(body.model);
    const messages = messagesOf(body);
    const job = beginJob(context, reply);
    try {
      const prompt = await documentOf(messages, context.pictures, imageSizes(model.sampler.config.image));
      const [seed] = seedsOf(body.seed, 1);
      const work = write(model.sampler, writingOf(body, prompt, seed), context.metrics.observer(model.name));
      const response = new GrowingResponse(echoed(model, body));
      const grown = growth(model, { body, prompt, response }, job.run<WritingEvent>([work]));
      if (body.stream) {
        const failure = (error: unknown) => response.failure(toApiError(error).body.error);
        return await stream(context, reply, job, grown, { failure });
      }
      let last: ServerEvent | undefined;
      for await (const event of grown) last = event;
      return (last!.data as { response: object }).response;
    } finally {
      job.end();
    }
  });
}

/** What the response repeats of the request. */
function echoed(model: ServedModel, body: ResponseRequest): object {
  return {
    ...{ model: model.name, instructions: body.instructions ?? null, metadata: body.metadata ?? {} },
    ...{ max_output_tokens: body.max_output_tokens, temperature: body.temperature, top_p: body.top_p },
    tools: body.tools.map(({ size, ...tool }) => ({ ...tool, size: size ? `${size.width}x${size.height}` : 'auto' })),
    ...{ tool_choice: body.tool_choice, parallel_tool_calls: body.parallel_tool_calls ?? true },
    ...{ previous_response_id: null, reasoning: { effort: null, summary: null }, store: false, truncation: 'disabled' },
    text: { format: { type: 'text' } },
  };
}

function messagesOf({ instructions, input }: ResponseRequest): GivenPart[][] {
  const before = instructions ? [[{ text: instructions }]] : [];
  if (typeof input === 'string') return [...before, [{ text: input }]];
  const messages = input.map((item, at): GivenPart[] => {
    if (item.type === 'image_generation_call') {
      const param = `input[${at}].result`;
      return [{ picture: { bytes: decodeBase64(item.result, param), param } }];
    }
    if (typeof item.content === 'string') return [{ text: item.content }];
    return item.content.map((part, i) => {
      if (part.type !== 'input_image') return { text: part.text };
      return { picture: readDataUrl(part.image_url, `input[${at}].content[${i}].image_url`) };
    });
  });
  return [...before, ...messages];
}

function writingOf(body: ResponseRequest, prompt: readonly PromptPart[], seed: number): Writing {
  const [tool] = body.tools;
  const { temperature, top_p: topP, top_k: topK, min_p: minP, tool_choice: choice } = body;
  return {
    ...{
      prompt,
      seed,
      maxTokens: body.max_output_tokens,
      partialImages: body.stream ? (tool?.partial_images ?? 0) : 0,
    },
    ...(tool && choice !== 'none' ? { forceImage: choice !== 'auto', size: tool.size } : { maxImages: 0 }),
    text: { temperature, topP, topK, minP },
    image: tool
      ? { steps: tool.num_inference_steps, guidance: tool.guidance_scale, negativePrompt: tool.negative_prompt }
      : {},
  };
}

/** The events of a response; the last one has all of it. */
async function* growth(
  model: ServedModel,
  { body, prompt, response }: { body: ResponseRequest; prompt: readonly PromptPart[]; response: GrowingResponse },
  events: AsyncGenerator<{ event: WritingEvent }, void>,
): AsyncGenerator<ServerEvent, void> {
  const [tool] = body.tools;
  const output = { format: tool?.output_format ?? 'png', compression: tool?.output_compression ?? 100 };
  let patches = 0;
  let isFirst = true;
  for await (const { event } of events) {
    // Not before anything has come: what is refused has a status of its own.
    if (isFirst) yield* response.begin();
    isFirst = false;
    if (event.type === 'text') yield* response.text(event.text);
    else if (event.type === 'drawing') yield* response.beginImage();
    else if (event.type === 'partial') yield* response.partial(await toBase64(event.image, output));
    else if (event.type === 'image') {
      patches += patchesOf(model.sampler.config, event.image);
      yield* response.endImage(await toBase64(event.image, output));
    } else {
      const isCut = event.reason === 'maxTokens' || event.reason === 'context';
      const usage = { input_tokens: promptTokens(model, prompt), output_tokens: event.tokens + patches };
      yield* response.end({ isCut, usage });
    }
  }
}
