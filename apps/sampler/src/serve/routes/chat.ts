/** @file POST /v1/chat/completions. */
import { imageSizes, type PromptPart } from '@transfusion/sampler';
import type { FastifyInstance } from 'fastify';
import { beginJob, type Context, seedsOf, stream } from '../context.js';
import type { ServerEvent } from '../http/event-stream.js';
import { readDataUrl } from '../pictures/data-url.js';
import { dataUrl, toBase64 } from '../pictures/write-picture.js';
import { type ChatRequest, chatSchema, DEFAULT_TOKENS } from '../schemas/chat.js';
import { checkBody } from '../schemas/check-body.js';
import { type ChatChoice, ChatChunks, chatCompletion, chatUsage, finishReason } from '../shapes/chat.js';
import { documentOf, type GivenPart } from '../work/collect-document.js';
import { patchesOf } from '../work/draw.js';
import { promptTokens } from '../work/prompt-tokens.js';
import type { ServedModel } from '../work/served-model.js';
import { type Writing, type WritingEvent, write } from '../work/write.js';

export function chatRoutes(app: FastifyInstance, context: Context): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const body = checkBody(chatSchema, request.body);
    const model = context.models.find(body.model);
    const messages = body.messages.map(partsOf);
    const job = beginJob(context, reply);
    try {
      const sizes = imageSizes(model.sampler.config.image);
      const prompt = await documentOf(messages, context.pictures, sizes);
      const observer = context.metrics.observer(model.name);
      const works = seedsOf(body.seed, body.n).map((seed) =>
        write(model.sampler, writingOf(body, prompt, seed), observer),
      );
      const chat = new Chat(model, body, prompt);
      const events = job.run<WritingEvent>(works);
      if (body.stream) return await stream(context, reply, job, chat.chunks(events), { last: 'data: [DONE]\n\n' });
      return await chat.completion(events);
    } finally {
      job.end();
    }
  });
}

type Message = ChatRequest['messages'][number];
type Events = AsyncGenerator<{ index: number; event: WritingEvent }, void>;

function partsOf(message: Message, at: number): GivenPart[] {
  const { content } = message;
  const images = message.role === 'assistant' ? (message.images ?? []) : [];
  const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
  return [...parts, ...images].map((part, i) => {
    if (part.type === 'text') return { text: part.text };
    const field = i < parts.length ? `content[${i}]` : `images[${i - parts.length}]`;
    return { picture: readDataUrl(part.image_url.url, `messages[${at}].${field}.image_url.url`) };
  });
}

function writingOf(body: ChatRequest, prompt: readonly PromptPart[], seed: number): Writing {
  const { modalities = ['text', 'image'], temperature, top_p: topP, top_k: topK, min_p: minP } = body;
  const drawsOnly = !modalities.includes('text');
  return {
    ...{ prompt, seed, partialImages: 0, stop: body.stop, size: body.size },
    maxTokens: drawsOnly ? 0 : (body.max_completion_tokens ?? body.max_tokens ?? DEFAULT_TOKENS),
    ...(drawsOnly ? { forceImage: true, maxImages: 1 } : modalities.includes('image') ? {} : { maxImages: 0 }),
    text: { temperature, topP, topK, minP },
    image: {
      steps: body.num_inference_steps,
      guidance: body.guidance_scale,
      negativePrompt: body.negative_prompt,
    },
  };
}

class Chat {
  readonly #model: ServedModel;
  readonly #body: ChatRequest;
  readonly #prompt: readonly PromptPart[];
  /** Of all choices: text tokens and patches. */
  #written = 0;

  constructor(model: ServedModel, body: ChatRequest, prompt: readonly PromptPart[]) {
    this.#model = model;
    this.#body = body;
    this.#prompt = prompt;
  }

  async completion(events: Events) {
    const choices = Array.from({ length: this.#body.n }, (): ChatChoice => ({ text: '', images: [], finish: 'stop' }));
    for await (const { index, event } of events) {
      const choice = choices[index];
      if (event.type === 'text') choice.text += event.text;
      else if (event.type === 'image') choice.images.push(await this.#url(event.image));
      else if (event.type === 'done') choice.finish = this.#finish(event);
    }
    return chatCompletion(this.#model.name, choices, this.#usage());
  }

  async *chunks(events: Events): AsyncGenerator<ServerEvent, void> {
    const includeUsage = this.#body.stream_options?.include_usage ?? false;
    const chunks = new ChatChunks(this.#model.name, includeUsage);
    const begun = new Set<number>();
    const images = new Array<number>(this.#body.n).fill(0);
    for await (const { index, event } of events) {
      if (!begun.has(index)) yield { data: chunks.begin(index) };
      begun.add(index);
      if (event.type === 'text') yield { data: chunks.text(index, event.text) };
      else if (event.type === 'image')
        yield { data: chunks.image(index, await this.#url(event.image), images[index]++) };
      else if (event.type === 'done') yield { data: chunks.end(index, this.#finish(event)) };
    }
    if (includeUsage) yield { data: chunks.usage(this.#usage()) };
  }

  async #url(image: Extract<WritingEvent, { type: 'image' }>['image']): Promise<string> {
    this.#written += patchesOf(this.#model.sampler.config, image);
    const output = { format: this.#body.output_format, compression: this.#body.output_compression };
    return dataUrl(await toBase64(image, output), output);
  }

  /** Of an answer of an image alone, the end after it is none that was forced. */
  #finish({ reason, tokens }: Extract<WritingEvent, { type: 'done' }>): 'stop' | 'length' {
    this.#written += tokens;
    const drawsOnly = this.#body.modalities !== undefined && !this.#body.modalities.includes('text');
    return drawsOnly ? 'stop' : finishReason(reason);
  }

  #usage() {
    return chatUsage(promptTokens(this.#model, this.#prompt), this.#written);
  }
}
