/** @file Server-sent events: never faster than the reader, never for a reader who has stopped. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { ClientGone, toApiError } from '../api-error.js';
import type { Job } from './job.js';

/** What is sent as `event: NAME` and `data: JSON`. */
export interface ServerEvent {
  /** Missing in chat completions, whose events have no names. */
  name?: string;
  data: unknown;
}

export interface StreamOptions {
  /** A reader that takes nothing for so long is dropped. */
  stallSeconds: number;
  /** A comment is sent after so much silence, so that nobody between takes the connection for dead. Default 15. */
  keepAliveSeconds?: number;
  /** Called with what ends the stream early. */
  onError(error: unknown): void;
  /** Called with the first event. */
  onFirst(): void;
  /** The data of the last event, after a failure. Default: OpenAI's error object. */
  failure?(error: unknown): unknown;
  /** What is sent at the end, after a success. */
  last?: string;
}

/**
 * Sends events as they come. What fails before the first is thrown, for an answer with a status of its own; later failures are told
 * as `event: error`, the last one.
 */
export async function sendEvents(
  reply: FastifyReply,
  job: Job,
  events: AsyncGenerator<ServerEvent, void>,
  options: StreamOptions,
): Promise<void> {
  const { keepAliveSeconds = 15, onError, onFirst, failure, last } = options;
  const stream = new EventStream(reply, options.stallSeconds);
  let isFirst = true;
  try {
    for (let next = events.next(); ; next = events.next()) {
      while (!(await settles(next, keepAliveSeconds * 1000))) await stream.write(': keep-alive\n\n');
      const { done, value } = await next;
      if (done) break;
      if (isFirst) onFirst();
      isFirst = false;
      await stream.write(eventText(value));
    }
    if (last !== undefined) await stream.write(last);
  } catch (error) {
    job.cancel(error);
    if (!stream.isOpen && !(error instanceof ClientGone)) throw error;
    onError(error);
    if (!(error instanceof ClientGone)) {
      const data = failure?.(error) ?? toApiError(error).body;
      await stream.write(eventText({ name: 'error', data })).catch(onError);
    }
  } finally {
    // Ends the work where the reader left first.
    await events.return();
    job.end();
    if (stream.isOpen) stream.end();
  }
}

function eventText({ name, data }: ServerEvent): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** Whether a promise settles in time. */
async function settles(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const settled = promise.then(
    () => true as const,
    () => true as const,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

class EventStream {
  readonly #reply: FastifyReply;
  readonly #stallMilliseconds: number;
  #isOpen = false;

  constructor(reply: FastifyReply, stallSeconds: number) {
    this.#reply = reply;
    this.#stallMilliseconds = stallSeconds * 1000;
  }

  /** Whether anything was sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Returns when there is room for more. @throws ClientGone */
  async write(text: string): Promise<void> {
    const { raw } = this.#reply;
    if (raw.destroyed) throw new ClientGone();
    this.#open();
    if (!raw.write(text)) await drained(raw, this.#stallMilliseconds);
  }

  end(): void {
    const { raw } = this.#reply;
    raw.end();
    dropStalled(raw, this.#stallMilliseconds);
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#reply.hijack();
    const headers = this.#reply.getHeaders() as Record<string, string>;
    this.#reply.raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // nginx would keep events back.
      'x-accel-buffering': 'no',
    });
  }
}

/** @throws ClientGone: it went, or takes nothing for so long */
function drained(raw: ServerResponse, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      raw.setTimeout(0);
      raw.off('timeout', stalled);
      raw.off('drain', done);
      raw.off('close', closed);
      if (error) reject(error);
      else resolve();
    };
    const done = () => settle();
    const closed = () => settle(new ClientGone());
    const stalled = () => {
      settle(new ClientGone('the client stopped reading'));
      raw.destroy();
    };
    raw.on('timeout', stalled);
    raw.on('drain', done);
    raw.on('close', closed);
    // Node counts from the last byte that was taken.
    raw.setTimeout(milliseconds);
  });
}

/** Closes the connection of a reader who takes nothing of the rest of an answer for so long. */
export function dropStalled(raw: ServerResponse, milliseconds: number): void {
  if (raw.writableFinished || raw.destroyed) return;
  // The time of a connection that is kept is set anew by Node.
  raw.setTimeout(milliseconds, () => raw.destroy());
}
