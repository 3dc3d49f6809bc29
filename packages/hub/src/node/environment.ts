/** @file What the environment says of the hub, in the words of Hugging Face's Python library. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** See https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The folder that all of Hugging Face's libraries keep files in: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub. */
export function hubCacheFolder(environment: Environment = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = environment;
  const given = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE;
  return given ? atHome(given) : join(hubHome(environment), 'hub');
}

/** HF_ENDPOINT. */
export function hubEndpoint(environment: Environment): string | undefined {
  return environment.HF_ENDPOINT || undefined;
}

/** HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE: 1, on, yes, true. */
export function isOffline({ HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE }: Environment): boolean {
  return /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE || '');
}

/** HF_TOKEN, or what `hf auth login` left. */
export function hubToken(environment: Environment): string | undefined {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN } = environment;
  const given = (HF_TOKEN || HUGGING_FACE_HUB_TOKEN)?.trim();
  if (given) return given;
  if (/^(1|on|yes|true)$/i.test(HF_HUB_DISABLE_IMPLICIT_TOKEN ?? '')) return undefined;
  try {
    const path = HF_TOKEN_PATH ? atHome(HF_TOKEN_PATH) : join(hubHome(environment), 'token');
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function hubHome({ HF_HOME, XDG_CACHE_HOME }: Environment): string {
  if (HF_HOME) return atHome(HF_HOME);
  return join(XDG_CACHE_HOME ? atHome(XDG_CACHE_HOME) : join(homedir(), '.cache'), 'huggingface');
}

function atHome(path: string): string {
  return /^~(?=$|[\\/])/.test(path) ? join(homedir(), path.slice(1)) : path;
}
