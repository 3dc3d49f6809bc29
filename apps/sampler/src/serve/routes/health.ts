/** @file GET /health and below: whether the process lives, and whether it takes requests; GET /metrics. */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Context } from '../context.js';

export function healthRoutes(app: FastifyInstance, context: Context, isStopping: () => boolean): void {
  const state = () => ({ running: context.queue.running, waiting: context.queue.waiting });
  app.get('/health/live', async () => ({ status: 'ok' }));
  const ready = async () => {
    if (isStopping()) throw new ApiError({ status: 503, message: 'The server is stopping.', code: 'stopping' });
    return { status: 'ok', ...state() };
  };
  app.get('/health', ready);
  app.get('/health/ready', ready);
  app.get('/metrics', async (_, reply) => {
    const { registry } = context.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
