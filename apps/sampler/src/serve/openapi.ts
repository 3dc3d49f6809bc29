/** @file The API's description (OpenAPI 3.1), made of the schemas that requests are checked with. */
import { z } from 'zod';
import { chatSchema } from './schemas/chat.js';
import { imageEditSchema, imageGenerationSchema } from './schemas/images.js';
import { responseSchema } from './schemas/responses.js';

const json = (schema: object) => ({ 'application/json': { schema } });

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
    },
  },
};

const REFUSALS: Record<string, string> = {
  400: 'a field that does not fit',
  401: 'no API key, or a wrong one',
  404: 'no such model',
  413: 'too large',
  429: 'too many wait already; Retry-After says when to come again',
};

const refusals = Object.fromEntries(
  Object.entries(REFUSALS).map(([status, description]) => [
    status,
    { description, content: json({ $ref: '#/components/schemas/Error' }) },
  ]),
);

function requestSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

function post(operationId: string, summary: string, content: object, streamed = true): object {
  const events = { 'text/event-stream': { schema: { type: 'string' } } };
  const done = { description: 'done', content: { ...json({ type: 'object' }), ...(streamed && events) } };
  return {
    post: { operationId, summary, requestBody: { required: true, content }, responses: { 200: done, ...refusals } },
  };
}

function get(operationId: string, summary: string, parameters: object[] = []): object {
  const done = { description: 'done', content: json({ type: 'object' }) };
  return { get: { operationId, summary, parameters, responses: { 200: done, ...refusals } } };
}

/** The form's files beside its fields. */
function editForm(): object {
  const schema = requestSchema(imageEditSchema) as { properties: object; required?: string[] };
  const file = { type: 'string', format: 'binary' };
  const properties = { image: file, 'image[]': file, mask: file, ...schema.properties };
  return { 'multipart/form-data': { schema: { ...schema, properties } } };
}

export function openApi(version: string): object {
  const path = { name: 'model', in: 'path', required: true, schema: { type: 'string' } };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Transfusion',
      version,
      description: "Text and images of Transfusion models, by the names of OpenAI's API.",
    },
    security: [{}, { key: [] }],
    paths: {
      '/v1/images/generations': post(
        'createImage',
        'draw images from a text',
        json(requestSchema(imageGenerationSchema)),
      ),
      '/v1/images/edits': post('createImageEdit', 'draw an image anew', editForm()),
      '/v1/chat/completions': post(
        'createChatCompletion',
        'go on with texts and images',
        json(requestSchema(chatSchema)),
      ),
      '/v1/responses': post(
        'createResponse',
        'texts and images in the order in which they come',
        json(requestSchema(responseSchema)),
      ),
      '/v1/models': get('listModels', 'the models that are served'),
      '/v1/models/{model}': get('retrieveModel', 'one of them', [path]),
      '/health': get('health', 'whether the server takes requests'),
    },
    components: {
      schemas: { Error: errorSchema },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  };
}
