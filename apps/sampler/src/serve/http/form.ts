/** @file A form with files (multipart/form-data): its fields as texts, its files in memory, all of it within a limit. */
import type { FastifyRequest } from 'fastify';
import { ApiError, badRequest } from '../api-error.js';

export interface Form {
  fields: Record<string, string>;
  files: { field: string; bytes: Uint8Array }[];
}

/** More of them is an attack, or a mistake. */
const MOST = { files: 17, fields: 64, fieldBytes: 256 * 1024 };

/** @throws ApiError 400: not well formed, or a field comes twice; 413: too large; 415: no such form */
export async function readForm(request: FastifyRequest, mostBytes: number): Promise<Form> {
  if (!request.isMultipart()) {
    throw new ApiError({
      status: 415,
      message: `Expected the content type multipart/form-data, got '${String(request.headers['content-type'] ?? '').slice(0, 100)}'.`,
      code: 'unsupported_media_type',
    });
  }
  const form: Form = { fields: Object.create(null), files: [] };
  let total = 0;
  const count = (bytes: number) => {
    total += bytes;
    if (total > mostBytes) throw tooLarge(mostBytes);
  };
  const limits = {
    ...{ fileSize: mostBytes, files: MOST.files, fields: MOST.fields, fieldSize: MOST.fieldBytes },
    ...{ fieldNameSize: 100, headerPairs: 32, parts: MOST.files + MOST.fields },
  };
  try {
    for await (const part of request.parts({ limits })) {
      if (part.type === 'file') {
        const bytes = await part.toBuffer();
        count(bytes.length);
        form.files.push({ field: part.fieldname, bytes });
      } else {
        if (part.fieldname in form.fields)
          throw badRequest(`Duplicate parameter: '${part.fieldname}'.`, part.fieldname);
        if (part.valueTruncated || part.fieldnameTruncated) throw tooLarge(MOST.fieldBytes);
        const value = String(part.value);
        count(value.length);
        form.fields[part.fieldname] = value;
      }
    }
  } catch (error) {
    throw formError(error, mostBytes);
  }
  return form;
}

export function tooLarge(mostBytes: number): ApiError {
  return new ApiError({
    status: 413,
    message: `The request is too large: the most is ${mostBytes} bytes.`,
    code: 'request_too_large',
    // What was not read of it stays on the connection.
    headers: { connection: 'close' },
  });
}

function formError(error: unknown, mostBytes: number): ApiError {
  if (error instanceof ApiError) return error;
  const { statusCode } = error as { statusCode?: number };
  if (statusCode === 413) return tooLarge(mostBytes);
  // What the parser throws of a broken form has no status.
  return new ApiError({
    status: 400,
    message: 'The form is not well formed (multipart/form-data).',
    code: 'invalid_form',
    headers: { connection: 'close' },
    cause: error,
  });
}
