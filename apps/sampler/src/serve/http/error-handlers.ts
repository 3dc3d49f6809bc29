/** @file Every failure in OpenAI's shape: of routes, of Fastify before them, of Node before that. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, ClientGone, toApiError } from '../api-error.js';
import { tooLarge } from './form.js';
import { REQUEST_ID } from './request-id.js';

export interface Failures {
  report(error: unknown, reply: FastifyReply): void;
  bodyBytes: number;
}

export function handleErrors(app: FastifyInstance, { report, bodyBytes }: Failures): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const known = ofFastify(error, request, bodyBytes) ?? error;
    report(known, reply);
    // Nobody reads it.
    if (known instanceof ClientGone) return reply.code(499).send();
    return sendError(reply, toApiError(known));
  });
}

export function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  return reply.code(error.status).headers(error.headers).type('application/json; charset=utf-8').send(error.body);
}

/** What Fastify refuses by itself. */
function ofFastify(error: FastifyError, { headers }: FastifyRequest, bodyBytes: number): ApiError | undefined {
  const refuse = (status: number, message: string, code: string) =>
    new ApiError({ status, message, code, cause: error });
  if (error instanceof ApiError) return undefined;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return tooLarge(bodyBytes);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': {
      const given = String(headers['content-type'] ?? 'none').slice(0, 100);
      return refuse(415, `Unsupported content type: '${given}'. Expected application/json.`, 'unsupported_media_type');
    }
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refuse(400, 'The body is empty, expected a JSON object.', 'invalid_json');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refuse(400, 'The body is not as long as content-length says.', 'invalid_body');
  }
  const { statusCode = 500 } = error;
  if (statusCode >= 500 || statusCode < 400) return undefined;
  return refuse(statusCode, `${STATUS_CODES[statusCode] ?? 'Bad request'}: ${error.message}`, 'invalid_request');
}

/** Paths that are no paths. */
export function onFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header(REQUEST_ID, request.id);
  const message = error.code === 'FST_ERR_BAD_URL' ? 'The path is not well formed.' : 'The request is not well formed.';
  sendError(reply, new ApiError({ status: 400, message, code: 'invalid_url', cause: error }));
}

/** A client that expects what no server here does. */
export function onExpectation(_: IncomingMessage, response: ServerResponse): void {
  const { status, body } = new ApiError({ status: 417, message: 'Expectation failed.', code: 'invalid_request' });
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, { ...headers, connection: 'close' }).end(text);
}

/** What is no HTTP, headers that are too large, requests that take too long to come. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // As Node does it: into an answer that has begun nothing else is written.
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse };
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || answer?.headersSent) {
    socket.destroy();
    return;
  }
  const statuses: Record<string, number> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };
  const status = statuses[error.code ?? ''] ?? 400;
  const { body } = new ApiError({ status, message: `${STATUS_CODES[status]}.`, code: 'invalid_request' });
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-length: ${Buffer.byteLength(text)}`,
    'content-type: application/json; charset=utf-8',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
  // What still comes is not waited for.
  socket.setTimeout(5000, () => socket.destroy());
}
