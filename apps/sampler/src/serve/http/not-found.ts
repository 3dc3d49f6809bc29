/** @file Paths that are not there, and methods that a path has not. */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import { sendError } from './error-handlers.js';

/** To be called before routes are added. */
export function handleNotFound(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    // The playground has all other paths.
    if (url === '/*') return;
    const own = methods.get(url) ?? new Set();
    for (const each of [method].flat()) own.add(each);
    methods.set(url, own);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0];
    const found = [...methods].find(([route]) => {
      return route.endsWith('*') ? path.startsWith(route.slice(0, -1)) : path === route;
    });
    const shown = path.length > 200 ? `${path.slice(0, 197)}...` : path;
    if (!found || found[1].has(request.method)) {
      return sendError(reply, new ApiError({ status: 404, message: `Invalid URL (${request.method} ${shown})` }));
    }
    const allow = [...found[1]].join(', ');
    return sendError(
      reply,
      new ApiError({
        status: 405,
        message: `Not allowed to ${request.method} on ${shown} (${allow} only)`,
        code: 'method_not_supported',
        headers: { allow },
      }),
    );
  });
}
