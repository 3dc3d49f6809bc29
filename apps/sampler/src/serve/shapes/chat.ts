/**
 * @file Answers of chat completions, by the names of OpenAI's. Images are in `images` beside the text, as data URLs: the form of
 * OpenRouter, LiteLLM and others, in which `content` stays the text that OpenAI's types have.
 */
import type { EndReason } from '@transfusion/sampler';
import { newId, now } from './now.js';

export interface ChatUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export function chatUsage(prompt: number, completion: number): ChatUsage {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** A document that ended by itself stopped; one that met a limit was cut. */
export function finishReason(reason: EndReason): 'stop' | 'length' {
  return reason === 'eos' || reason === 'stop' ? 'stop' : 'length';
}

export interface ChatChoice {
  text: string;
  /** Data URLs. */
  images: string[];
  finish: 'stop' | 'length';
}

const imagePart = (url: string, index: number) => ({ type: 'image_url', image_url: { url }, index });

export function chatCompletion(model: string, choices: readonly ChatChoice[], usage: ChatUsage) {
  return {
    ...{ id: newId('chatcmpl-'), object: 'chat.completion', created: now(), model },
    choices: choices.map(({ text, images, finish }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: text === '' && images.length > 0 ? null : text,
        refusal: null,
        ...(images.length > 0 && { images: images.map(imagePart) }),
      },
      logprobs: null,
      finish_reason: finish,
    })),
    usage,
  };
}

/** The chunks of one stream. */
export class ChatChunks {
  readonly #of: object;
  readonly #usage: object;

  /** @param includeUsage whether the last chunk tells the usage, and the others that they do not */
  constructor(model: string, includeUsage: boolean) {
    this.#of = { id: newId('chatcmpl-'), object: 'chat.completion.chunk', created: now(), model };
    this.#usage = includeUsage ? { usage: null } : {};
  }

  begin(index: number) {
    return this.#chunk(index, { role: 'assistant', content: '', refusal: null });
  }

  text(index: number, content: string) {
    return this.#chunk(index, { content });
  }

  /** @param count images of this choice before */
  image(index: number, url: string, count: number) {
    return this.#chunk(index, { images: [imagePart(url, count)] });
  }

  end(index: number, finish: string) {
    return this.#chunk(index, {}, finish);
  }

  usage(usage: ChatUsage) {
    return { ...this.#of, choices: [], usage };
  }

  #chunk(index: number, delta: object, finish: string | null = null) {
    return { ...this.#of, choices: [{ index, delta, logprobs: null, finish_reason: finish }], ...this.#usage };
  }
}
