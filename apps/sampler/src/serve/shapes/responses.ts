/** @file Answers of the Responses API, by the names of OpenAI's: a list of texts and images, and the events that tell how it grows. */
import type { ServerEvent } from '../http/event-stream.js';
import { newId, now } from './now.js';

export interface MessageItem {
  id: string;
  type: 'message';
  role: 'assistant';
  status: 'in_progress' | 'completed' | 'incomplete';
  content: { type: 'output_text'; text: string; annotations: never[]; logprobs: never[] }[];
}

export interface ImageItem {
  id: string;
  type: 'image_generation_call';
  status: 'in_progress' | 'generating' | 'completed' | 'failed';
  result: string | null;
}

type Item = MessageItem | ImageItem;

export interface ResponseUsage {
  input_tokens: number;
  output_tokens: number;
}

/** The response as it grows. Every change gives the events that tell of it. */
export class GrowingResponse {
  readonly #fixed: object;
  readonly #id = newId('resp_');
  readonly #created = now();
  readonly #output: Item[] = [];
  #sequence = 0;
  #partials = 0;

  /** @param echoed fields of the request that the response repeats */
  constructor(echoed: object) {
    this.#fixed = echoed;
  }

  begin(): ServerEvent[] {
    const response = this.#response('in_progress');
    return [this.#event('response.created', { response }), this.#event('response.in_progress', { response })];
  }

  text(delta: string): ServerEvent[] {
    const last = this.#output.at(-1);
    const isOpen = last?.type === 'message' && last.status === 'in_progress';
    const events = isOpen ? [] : this.#beginText();
    const { at, item } = this.#last<MessageItem>();
    item.content[0].text += delta;
    return [...events, this.#event('response.output_text.delta', { ...at, content_index: 0, delta, logprobs: [] })];
  }

  beginImage(): ServerEvent[] {
    const before = this.#endText('completed');
    this.#partials = 0;
    this.#output.push({ id: newId('ig_'), type: 'image_generation_call', status: 'in_progress', result: null });
    const { item, at } = this.#last<ImageItem>();
    const added = this.#added(item);
    const inProgress = this.#event('response.image_generation_call.in_progress', at);
    item.status = 'generating';
    return [...before, added, inProgress, this.#event('response.image_generation_call.generating', at)];
  }

  partial(base64: string): ServerEvent[] {
    const { at } = this.#last<ImageItem>();
    const of = { partial_image_index: this.#partials++, partial_image_b64: base64 };
    return [this.#event('response.image_generation_call.partial_image', { ...at, ...of })];
  }

  endImage(base64: string): ServerEvent[] {
    const { item, at } = this.#last<ImageItem>();
    item.status = 'completed';
    item.result = base64;
    return [this.#event('response.image_generation_call.completed', at), this.#done(item)];
  }

  /** @param options.isCut whether the limit of tokens was reached */
  end({ isCut, usage }: { isCut: boolean; usage: ResponseUsage }): ServerEvent[] {
    const events = this.#endText(isCut ? 'incomplete' : 'completed');
    const status = isCut ? 'incomplete' : 'completed';
    return [...events, this.#event(`response.${status}`, { response: this.finished({ isCut, usage }) })];
  }

  /** The whole, at its end. */
  finished({ isCut, usage }: { isCut: boolean; usage: ResponseUsage }): object {
    const { input_tokens, output_tokens } = usage;
    const details = { input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } };
    return this.#response(isCut ? 'incomplete' : 'completed', {
      ...(isCut ? { incomplete_details: { reason: 'max_output_tokens' } } : { completed_at: now() }),
      usage: { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, ...details },
    });
  }

  /** The last event of a response that failed; `error` is what OpenAI's client throws. */
  failure(error: { message: string; code: string | null; param: string | null }): object {
    const { code, message, param } = error;
    return { type: 'error', code, message, param, error, sequence_number: this.#sequence++ };
  }

  #beginText(): ServerEvent[] {
    const item: MessageItem = {
      id: newId('msg_'),
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    };
    this.#output.push(item);
    const added = this.#added(item);
    item.content.push({ type: 'output_text', text: '', annotations: [], logprobs: [] });
    const part = { ...this.#last().at, content_index: 0, part: { ...item.content[0] } };
    return [added, this.#event('response.content_part.added', part)];
  }

  #endText(status: 'completed' | 'incomplete'): ServerEvent[] {
    const last = this.#output.at(-1);
    if (last?.type !== 'message' || last.status !== 'in_progress') return [];
    last.status = status;
    const at = { ...this.#last().at, content_index: 0 };
    const part = { ...last.content[0] };
    return [
      this.#event('response.output_text.done', { ...at, text: part.text, logprobs: [] }),
      this.#event('response.content_part.done', { ...at, part }),
      this.#done(last),
    ];
  }

  #last<Kind extends Item>(): { item: Kind; at: { item_id: string; output_index: number } } {
    const item = this.#output.at(-1) as Kind;
    return { item, at: { item_id: item.id, output_index: this.#output.length - 1 } };
  }

  #added(item: Item): ServerEvent {
    return this.#event('response.output_item.added', {
      output_index: this.#output.length - 1,
      item: structuredClone(item),
    });
  }

  #done(item: Item): ServerEvent {
    return this.#event('response.output_item.done', {
      output_index: this.#output.length - 1,
      item: structuredClone(item),
    });
  }

  #event(type: string, more: object): ServerEvent {
    return { name: type, data: { type, sequence_number: this.#sequence++, ...more } };
  }

  #response(status: string, more: object = {}): object {
    return {
      ...{ id: this.#id, object: 'response', created_at: this.#created, status, error: null, incomplete_details: null },
      ...this.#fixed,
      ...{ output: structuredClone(this.#output), usage: null },
      ...more,
    };
  }
}
