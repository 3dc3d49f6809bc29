/** @file GET /v1/models and /v1/models/:id. */
import type { FastifyInstance } from 'fastify';
import type { Context } from '../context.js';
import type { ServedModel } from '../work/served-model.js';

export function modelRoutes(app: FastifyInstance, { models }: Context): void {
  app.get('/v1/models', async () => ({ object: 'list', data: models.all.map(modelObject) }));
  // Names of packages have a slash.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async ({ params }) => modelObject(models.find(params['*'])));
}

function modelObject({ name, created }: ServedModel) {
  return { id: name, object: 'model', created, owned_by: 'transfusion' };
}
