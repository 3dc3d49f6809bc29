/** @file What `fromHub` takes, checked at the door. */
import { parseConfig } from '@transfusion/core';
import { z } from 'zod';
import { checkAddress, type HubAddress, parseHubAddress } from './address.js';
import type { ClientOptions } from './client.js';
import { HubError } from './errors.js';
import type { FetchOptions } from './fetch-model.js';

export const HUB_ENDPOINT = 'https://huggingface.co';

export interface HubOptions extends FetchOptions, Pick<ClientOptions, 'fetch' | 'signal' | 'retries' | 'idleSeconds'> {
  /** A branch, a tag or a commit; default: that of the address, else `main`. A commit is never asked for again. */
  revision?: string;
  /** A folder in it, which the source then has as its own; default: the whole. */
  subfolder?: string;
  /** Sent to the hub alone, never to where it sends for files. Default: none. */
  token?: string;
  /** Address of the hub; default: https://huggingface.co. */
  endpoint?: string | URL;
  /** Fetch nothing, take what is kept; default false. */
  localFilesOnly?: boolean;
}

const optionsSchema = z.object({
  revision: z.string().min(1).optional(),
  subfolder: z.string().optional(),
  files: z.array(z.string().min(1)).min(1).optional().describe('patterns, in which * stands for anything'),
  verify: z.boolean().optional(),
  onProgress: z.unknown().optional(),
  token: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be letters, digits and signs, without spaces')
    .optional(),
  endpoint: z.union([z.string(), z.instanceof(URL)]).optional(),
  localFilesOnly: z.boolean().optional(),
  fetch: z.unknown().optional(),
  signal: z.unknown().optional(),
  retries: z.int().min(0).max(100).optional(),
  idleSeconds: z.number().positive().optional(),
  cacheDir: z.string().min(1).optional(),
});

/**
 * Checks the options.
 *
 * @param name `owner/name`, or an address (see `parseHubAddress`)
 * @throws HubError HUB_OPTIONS
 */
export function resolveOptions(name: string, options: HubOptions): { address: HubAddress; endpoint: URL } {
  checkFields(options);
  const told = parseHubAddress(name);
  const { revision = told.revision, subfolder = told.subfolder } = options;
  const address = { name: told.name, revision, subfolder: subfolder.replace(/\/$/, '') };
  checkAddress(address);
  return { address, endpoint: parseEndpoint(options.endpoint ?? HUB_ENDPOINT) };
}

/** The token is not repeated in an error. */
function checkFields(options: HubOptions): void {
  const { token, ...others } = options;
  try {
    parseConfig(optionsSchema, others, 'the options of fromHub', { code: 'HUB_OPTIONS' });
  } catch (error) {
    const { message, fix } = error as { message: string; fix?: string };
    throw new HubError({ code: 'HUB_OPTIONS', message: message.replace(/^HUB_OPTIONS: /, ''), fix, cause: error });
  }
  if (token === undefined || optionsSchema.shape.token.safeParse(token).success) return;
  throw new HubError({
    code: 'HUB_OPTIONS',
    message: 'the token has spaces or other characters that no token has',
    fix: 'copy it again, without what is around it: hf_ and letters',
  });
}

function parseEndpoint(endpoint: string | URL): URL {
  try {
    const url = new URL(endpoint);
    if (/^https?:$/.test(url.protocol) && !url.username && !url.password) return url;
  } catch {}
  throw new HubError({
    code: 'HUB_OPTIONS',
    message: `the hub's address is ${JSON.stringify(String(endpoint))}`,
    fix: `give one such as ${HUB_ENDPOINT} (HF_ENDPOINT, or \`endpoint\`)`,
  });
}
