/** @file The server: routes over models, and what stands before and after all of them. */
import { setMaxListeners } from 'node:events';
import type { AddressInfo } from 'node:net';
import multipart from '@fastify/multipart';
import { TransfusionError } from '@transfusion/core';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { SOFTWARE } from '../software.js';
import { ApiError, ClientGone, toApiError } from './api-error.js';
import type { Context, Limits } from './context.js';
import { ApiKeys } from './http/api-keys.js';
import { handleErrors, onClientError, onExpectation, onFrameworkError } from './http/error-handlers.js';
import { dropStalled } from './http/event-stream.js';
import { handleNotFound } from './http/not-found.js';
import { REQUEST_ID, requestId } from './http/request-id.js';
import { isLoopback, refuseOtherSites } from './http/same-site.js';
import { Metrics } from './metrics.js';
import { openApi } from './openapi.js';
import { PictureReader } from './pictures/read-picture.js';
import { chatRoutes } from './routes/chat.js';
import { healthRoutes } from './routes/health.js';
import { imageRoutes } from './routes/images.js';
import { modelRoutes } from './routes/models.js';
import { playgroundRoutes } from './routes/playground.js';
import { responseRoutes } from './routes/responses.js';
import { type ServedModel, ServedModels } from './work/served-model.js';
import { WorkQueue } from './work/work-queue.js';

export const DEFAULT_LIMITS: Limits = {
  concurrency: 8,
  queue: 32,
  timeoutSeconds: 300,
  stallSeconds: 30,
  bodyBytes: 20 * 2 ** 20,
  pixels: 25_000_000,
};

export interface ServerOptions {
  /** Of distinct names; the first is taken where a request names none. */
  models: readonly ServedModel[];
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 8080; 0 takes a free one. */
  port?: number;
  /** One of them is to come with each request. Default: none is needed, which loopback alone allows. */
  keys?: readonly string[];
  limits?: Partial<Limits>;
  /** A folder of files for /. */
  playground?: string;
  /** Whether /metrics has figures of the process. Default false. */
  processMetrics?: boolean;
  /** Failures that are not the client's. */
  log(text: string): void;
}

export interface RunningServer {
  /** As in http://127.0.0.1:8080. */
  address: string;
  limits: Limits;
  /** Generations under way, and requests that wait for their first. */
  busy(): { running: number; waiting: number };
  /** Takes no more connections, lets what runs end for so long, then cancels it. */
  stop(graceSeconds: number): Promise<void>;
}

/** @throws TransfusionError SERVE_NEEDS_KEY, SERVE_ADDRESS */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 8080, keys = [] } = options;
  if (keys.length === 0 && !isLoopback(host)) {
    throw new TransfusionError({
      code: 'SERVE_NEEDS_KEY',
      message: `--host ${host} is open to other machines, and there is no API key`,
      fix: 'give --api-key-file, or TRANSFUSION_API_KEY in the environment; or leave --host out, for this machine alone',
    });
  }
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const stopping = new AbortController();
  // Each request listens.
  setMaxListeners(0, stopping.signal);
  let isStopping = false;
  const queue = new WorkQueue({ concurrency: limits.concurrency, waiting: limits.queue });
  const metrics = new Metrics(queue, { process: options.processMetrics ?? false });
  const context: Context = {
    ...{ queue, limits, stopping: stopping.signal },
    models: new ServedModels(options.models),
    pictures: new PictureReader({ mostPixels: limits.pixels }),
    metrics,
    reportFailure: (error, reply) => report(error, { reply, metrics, log: options.log }),
  };
  const app = createApp(context, { keys: new ApiKeys(keys), isStopping: () => isStopping });
  if (options.playground !== undefined) await playgroundRoutes(app, options.playground);
  await listen(app, { host, port });
  const { port: taken } = app.server.address() as AddressInfo;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    limits,
    busy: () => ({ running: queue.running, waiting: queue.waiting }),
    async stop(graceSeconds) {
      isStopping = true;
      const cancel = setTimeout(() => stopping.abort(stopped()), graceSeconds * 1000);
      // Those who do not even take their error are left.
      const leave = setTimeout(() => app.server.closeAllConnections(), (graceSeconds + 2) * 1000);
      // A connection whose answer has ended is idle only then.
      const sweep = setInterval(() => app.server.closeIdleConnections(), 100);
      await app.close();
      clearInterval(sweep);
      clearTimeout(cancel);
      clearTimeout(leave);
      stopping.abort(stopped());
    },
  };
}

async function listen(app: FastifyInstance, address: { host: string; port: number }): Promise<void> {
  try {
    await app.listen(address);
  } catch (error) {
    await app.close();
    const { code, message } = error as NodeJS.ErrnoException;
    throw new TransfusionError({
      code: 'SERVE_ADDRESS',
      message: `cannot listen on ${address.host}:${address.port}: ${message}`,
      fix:
        code === 'EADDRINUSE' ? 'another program listens there: give another --port, or 0 for a free one' : undefined,
      cause: error,
    });
  }
}

const PROBES = new Set(['/health', '/health/live', '/health/ready']);
/** The description, and the files of a page. */
const WITHOUT_KEY = new Set(['/openapi.json', '/*']);

function createApp(
  context: Context,
  { keys, isStopping }: { keys: ApiKeys; isStopping: () => boolean },
): FastifyInstance {
  const { limits, metrics } = context;
  const app = fastify({
    ...{ bodyLimit: limits.bodyBytes, genReqId: requestId, requestIdHeader: false, logger: false },
    // Those of a whole request, body included; slow ones hold a connection and nothing else.
    ...{ requestTimeout: 120_000, keepAliveTimeout: 72_000, forceCloseConnections: 'idle', return503OnClosing: false },
    ...{ frameworkErrors: onFrameworkError, clientErrorHandler: onClientError, routerOptions: { maxParamLength: 512 } },
  });
  app.server.maxConnections = 4096;
  app.server.on('checkExpectation', onExpectation);
  app.removeContentTypeParser('text/plain');
  app.register(multipart, { limits: { fileSize: limits.bodyBytes } });
  handleErrors(app, { report: context.reportFailure, bodyBytes: limits.bodyBytes });
  app.addHook('onRequest', async (request, reply) => {
    const ended = metrics.request(request.method);
    const { raw } = reply;
    raw.once('close', () => ended(request.routeOptions.url ?? 'none', raw.writableFinished ? raw.statusCode : 499));
    reply.headers({ [REQUEST_ID]: request.id, 'x-content-type-options': 'nosniff' });
    // By the route that was found: a path can be written in many ways.
    const { url: route = 'none' } = request.routeOptions;
    if (PROBES.has(route)) return;
    if (!keys.required) refuseOtherSites(request.headers);
    else if (!WITHOUT_KEY.has(route)) keys.check(request.headers.authorization);
    if (isStopping()) throw stopped();
  });
  app.addHook('onSend', async (_, reply) => dropStalled(reply.raw, limits.stallSeconds * 1000));
  handleNotFound(app);
  // Below the hooks and handlers above, once these are there.
  app.register(async (routes) => {
    imageRoutes(routes, context);
    chatRoutes(routes, context);
    responseRoutes(routes, context);
    modelRoutes(routes, context);
    healthRoutes(routes, context, isStopping);
    const description = openApi(SOFTWARE.split(' ')[1]);
    routes.get('/openapi.json', async () => description);
  });
  return app;
}

function stopped(): ApiError {
  return new ApiError({
    status: 503,
    message: 'The server is stopping.',
    code: 'stopping',
    headers: { 'retry-after': '1', connection: 'close' },
  });
}

/** Counts what ended early, and writes to the log what is the server's fault. */
function report(
  error: unknown,
  { reply, metrics, log }: { reply: FastifyReply; metrics: Metrics; log(text: string): void },
): void {
  if (error instanceof ClientGone) {
    metrics.cancelled('client');
    return;
  }
  const { status, code, cause } = toApiError(error);
  if (code === 'timeout') metrics.cancelled('timeout');
  if (code === 'stopping') metrics.cancelled('stopping');
  if (status !== 500) return;
  const of = cause ?? error;
  log(`${reply.request.id}: ${of instanceof Error ? (of.stack ?? of.message) : String(of)}`);
}
