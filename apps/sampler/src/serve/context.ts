/** @file What every route works with. */
import { randomInt } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { type ServerEvent, sendEvents } from './http/event-stream.js';
import { Job } from './http/job.js';
import type { Metrics } from './metrics.js';
import type { PictureReader } from './pictures/read-picture.js';
import type { ServedModels } from './work/served-model.js';
import type { WorkQueue } from './work/work-queue.js';

export interface Limits {
  /** Generations that run at once. */
  concurrency: number;
  /** Requests that wait for their first generation. */
  queue: number;
  /** Of a request, waiting included. */
  timeoutSeconds: number;
  /** A reader that takes nothing for so long is dropped. */
  stallSeconds: number;
  /** Of a request's body. */
  bodyBytes: number;
  /** Of a picture in a request. */
  pixels: number;
}

export interface Context {
  models: ServedModels;
  queue: WorkQueue;
  pictures: PictureReader;
  metrics: Metrics;
  limits: Limits;
  /** Aborted when the server stops and waits no longer. */
  stopping: AbortSignal;
  /** Counts what ended a request early, and tells what is not the client's fault. */
  reportFailure(error: unknown, reply: FastifyReply): void;
}

/** @throws ApiError 429 */
export function beginJob(context: Context, reply: FastifyReply): Job {
  const { queue, limits, stopping } = context;
  return new Job(reply, { queue, stopping, timeoutSeconds: limits.timeoutSeconds });
}

/** Sends a job's events, and ends it. */
export function stream(
  context: Context,
  reply: FastifyReply,
  job: Job,
  events: AsyncGenerator<ServerEvent, void>,
  more: { failure?: (error: unknown) => unknown; last?: string } = {},
): Promise<void> {
  const route = reply.request.routeOptions.url ?? '';
  return sendEvents(reply, job, events, {
    ...more,
    stallSeconds: context.limits.stallSeconds,
    onError: (error) => context.reportFailure(error, reply),
    onFirst: () => context.metrics.firstEvent(route, reply.elapsedTime / 1000),
  });
}

/** Image or choice i of a request has this seed. */
export function seedsOf(seed: number | undefined, n: number): number[] {
  const first = seed ?? randomInt(2 ** 31);
  return Array.from({ length: n }, (_, i) => first + i);
}
