/** @file Requests to the hub: the token goes to the hub alone, answers are bounded, and errors say what they mean. */
import { HttpClient, type HttpOptions, type PassingFault, passingFault } from '@transfusion/checkpoint';
import { HubError } from './errors.js';

const REDIRECTS = [301, 302, 303, 307, 308];
const MOST_REDIRECTS = 5;
/** The most that is read of an answer that is no file. */
const MAX_JSON_BYTES = 2 ** 26;

export interface ClientOptions extends Pick<HttpOptions, 'fetch' | 'signal' | 'retries' | 'idleSeconds'> {
  /** Address of the hub. */
  endpoint: URL;
  token?: string;
  /**
   * Who follows redirects. `own`: this client, which sees what the hub says before it sends elsewhere. `engine`: a browser, which
   * shows nothing of it, and itself sends no token to another origin (Fetch, "HTTP-redirect fetch").
   */
  redirects: 'own' | 'engine';
}

/** What a request is for, for errors. */
export interface Wanted {
  /** The model. */
  model: string;
  revision: string;
  /** A file of it. */
  path?: string;
}

export interface HubAnswer {
  response: Response;
  /** Of the hub itself, before it sent elsewhere. */
  told: Headers;
}

export class HubClient {
  readonly endpoint: URL;
  readonly #http: HttpClient;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#http = new HttpClient(options);
  }

  /** An address below the hub's. @param path parts of it may need encoding */
  url(path: string, query = ''): URL {
    const url = new URL(this.endpoint);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
    url.search = query;
    return url;
  }

  /** Calls `action` until it does not throw a `PassingFault`. @throws HubError HUB_NETWORK; the signal's reason; what `action` throws */
  persist<T>(where: string, action: () => Promise<T>): Promise<T> {
    return this.#http.persist(where, action, (_, fault) => networkError(where, fault));
  }

  /** JSON, and the address of what follows it. @throws HubError; PassingFault */
  async json(url: URL, wanted: Wanted): Promise<{ json: unknown; next: URL | undefined }> {
    const { response } = await this.get(url, { accept: 'application/json' });
    if (!response.ok) throw this.statusError(response, wanted);
    const next = this.#next(response);
    const text = await this.#text(response, url);
    try {
      return { json: JSON.parse(text), next };
    } catch (error) {
      throw answerError(url.href, `is to give JSON, and gives ${JSON.stringify(text.slice(0, 60))}`, error);
    }
  }

  /** An answer, wherever the hub sends for it. @throws HubError HUB_ANSWER; PassingFault */
  async get(url: URL, headers: Record<string, string>): Promise<HubAnswer> {
    const { redirects, token } = this.#options;
    let at = url;
    let told = new Headers();
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const isHub = at.origin === this.endpoint.origin;
      const identity: Record<string, string> = isHub && token ? { authorization: `Bearer ${token}` } : {};
      const redirect = redirects === 'own' ? 'manual' : 'follow';
      const response = await this.#http.request(at, { headers: { ...headers, ...identity }, redirect });
      if (isHub) told = response.headers;
      if (!REDIRECTS.includes(response.status)) return { response, told };
      discard(response);
      at = this.#target(response, at);
    }
    throw answerError(url.href, `sends from one address to another, ${MOST_REDIRECTS} times`);
  }

  /** Pieces of a body. Left early, the rest is not fetched. @throws PassingFault: the connection broke off */
  pieces(response: Response): AsyncGenerator<Uint8Array> {
    return this.#http.pieces(response);
  }

  /** What an answer means that is not as it should be. Nothing more is fetched of it. */
  statusError(response: Response, wanted: Wanted): Error {
    discard(response);
    return passingFault(response) ?? refusal(response, wanted, this.#options.token !== undefined);
  }

  #target(response: Response, from: URL): URL {
    const location = response.headers.get('location');
    let target: URL | undefined;
    try {
      target = location === null ? undefined : new URL(location, from);
    } catch {}
    const isAllowed = target && (target.protocol === 'https:' || target.protocol === this.endpoint.protocol);
    if (target && isAllowed) return target;
    throw answerError(from.href, `sends to ${JSON.stringify(location)}, which is no address of a file`);
  }

  async #text(response: Response, url: URL): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    let length = 0;
    for await (const piece of this.pieces(response)) {
      length += piece.length;
      if (length > MAX_JSON_BYTES) throw answerError(url.href, `sends more than ${MAX_JSON_BYTES} bytes of JSON`);
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  }

  /** `Link: <...>; rel="next"`. */
  #next({ headers, url }: Response): URL | undefined {
    const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next\b/.exec(headers.get('link') ?? '') ?? [];
    if (target === undefined) return undefined;
    const next = new URL(target, url || this.endpoint);
    if (next.origin === this.endpoint.origin) return next;
    throw answerError(this.endpoint.origin, `says that a list goes on at ${next.origin}`);
  }
}

/** Fetches no more of an answer. */
export function discard({ body }: Response): void {
  body?.cancel().catch(() => {});
}

export function answerError(where: string, what: string, cause?: unknown): HubError {
  return new HubError({
    code: 'HUB_ANSWER',
    message: `${where} ${what}`,
    fix: 'the server, or a proxy in between, is at fault: try again later, or set another endpoint (HF_ENDPOINT)',
    cause,
  });
}

function networkError(where: string, fault: PassingFault): HubError {
  return new HubError({
    code: 'HUB_NETWORK',
    message: `cannot fetch ${where}: ${fault.message}`,
    fix: 'check the connection, then try again: what was fetched is kept, and goes on where it broke off',
    cause: fault,
  });
}

/** What the hub says in `X-Error-Code`, else by status. */
function refusal(response: Response, { model, revision, path }: Wanted, hasToken: boolean): HubError {
  const { status, headers } = response;
  const code = headers.get('x-error-code') ?? '';
  const page = new URL(response.url || 'https://huggingface.co').origin;
  const token = hasToken ? 'check that the token may read it' : 'give a token (HF_TOKEN) if it is private';
  if (code === 'RevisionNotFound') {
    return new HubError({
      code: 'HUB_REVISION',
      message: `${model} has no revision ${revision}`,
      fix: 'give a branch, a tag or a commit that its page lists under "Files and versions"',
    });
  }
  if (code === 'EntryNotFound' || (code === '' && status === 404 && path !== undefined)) {
    return new HubError({
      code: 'HUB_FILE',
      message: `${model} has no ${path} at ${revision}`,
      fix: 'check the name on its page, under "Files and versions"',
    });
  }
  if (code === 'GatedRepo' || status === 403) {
    return new HubError({
      code: 'HUB_ACCESS',
      message: `access to ${model} is denied (${status})`,
      fix: `accept its terms at ${page}/${model}, and ${hasToken ? 'check that the token may read it' : 'give a token: HF_TOKEN, or `token`'}`,
    });
  }
  const isDenied = status === 401 && hasToken && code !== 'RepoNotFound';
  if (isDenied) {
    return new HubError({
      code: 'HUB_ACCESS',
      message: `${page} does not accept the token for ${model} (401)`,
      fix: 'make another at its settings, or leave the token out (HF_TOKEN) where the model is public',
    });
  }
  if (code === 'RepoNotFound' || status === 401 || status === 404) {
    return new HubError({
      code: 'HUB_NOT_FOUND',
      message: `there is no model ${model} at ${page}, or it is private (${status})`,
      fix: `check its name, owner/name; ${token}`,
    });
  }
  const message = headers.get('x-error-message')?.slice(0, 200);
  return answerError(`${page}, asked for ${path ?? model},`, `answers ${status}${message ? `: ${message}` : ''}`);
}
