/** @file What a request is refused with: status and the fields of OpenAI's error object. */
import { TransfusionError } from '@transfusion/core';

export interface ApiErrorOptions {
  /** HTTP status. */
  status: number;
  message: string;
  /** Default: `invalid_request_error` below 500, `server_error` from there. */
  type?: string;
  /** The field of the request that it is about, as in `messages[0].content`. */
  param?: string | null;
  code?: string | null;
  headers?: Record<string, string>;
  cause?: unknown;
}

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}

export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Record<string, string>;

  constructor({ status, message, type, param = null, code = null, headers = {}, cause }: ApiErrorOptions) {
    super(message, { cause });
    this.name = 'ApiError';
    this.status = status;
    this.type = type ?? (status < 500 ? 'invalid_request_error' : 'server_error');
    this.param = param;
    this.code = code;
    this.headers = headers;
  }

  get body(): ErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

/** A request that asks for what cannot be: 400. */
export function badRequest(message: string, param: string | null = null, code = 'invalid_value'): ApiError {
  return new ApiError({ status: 400, message, param, code });
}

/** The reader of an answer went; nobody is told. */
export class ClientGone extends Error {
  constructor(why = 'the client closed the connection') {
    super(why);
    this.name = 'ClientGone';
  }
}

/** Faults of the request that only the model's parts can see. */
const OF_THE_REQUEST: Record<string, string> = {
  SAMPLER_OPTIONS: 'invalid_value',
  SAMPLER_CONTEXT: 'context_length_exceeded',
  SAMPLER_IMAGE_SIZE: 'invalid_size',
  SAMPLER_NO_IMAGES: 'unsupported_by_model',
  SCHEDULER_CONFIG_INVALID: 'invalid_value',
  SCHEDULER_STEPS_RANGE: 'invalid_value',
  IMAGE_UNREADABLE: 'invalid_image',
  IMAGE_TOO_LARGE: 'image_too_large',
};

/** Options of the library as the API names them, the longer first. */
const PARAMETERS: Record<string, string> = {
  'image.guidanceInterval': 'guidance_interval',
  'image.guidance': 'guidance_scale',
  'image.negativePrompt': 'negative_prompt',
  'image.steps': 'num_inference_steps',
  'image.strength': 'strength',
  'image.from': 'image',
  'image.mask': 'mask',
  'text.temperature': 'temperature',
  'text.topP': 'top_p',
  'text.topK': 'top_k',
  'text.minP': 'min_p',
};

/** Any failure as what the client is told. What is not the request's fault is told without its message. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (TransfusionError.isInstance(error) && error.code in OF_THE_REQUEST) {
    const names = Object.keys(PARAMETERS);
    const [first] = names
      .filter((name) => error.message.includes(name))
      .sort((a, b) => error.message.indexOf(a) - error.message.indexOf(b));
    const message = names.reduce((text, name) => text.replaceAll(name, PARAMETERS[name]), withoutCode(error));
    return new ApiError({
      ...{ status: 400, message, code: OF_THE_REQUEST[error.code], cause: error },
      param: first === undefined ? null : PARAMETERS[first],
    });
  }
  return new ApiError({
    status: 500,
    message: 'The server had an error while processing your request. Its log has more under this x-request-id.',
    cause: error,
  });
}

/** `CODE: message`, and its fix in a line of its own, as one sentence. */
function withoutCode({ code, message }: TransfusionError): string {
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  return text.replace(/\n {2}fix: /, '; ').replaceAll(/\s*\n\s*/g, '; ');
}
