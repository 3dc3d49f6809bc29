/** @file What a model consists of, as the files of its folder. */
import { encodeWeights, formatSums, SUMS_FILE, type TensorData } from '@transfusion/checkpoint';
import type { ModelHashes } from '@transfusion/sampler';
import type { ModelFiles } from '@transfusion/training';
import type { Files } from './folders.js';

export function modelFolderFiles({ config, tensors, tokenizer, vae }: ModelFiles): Files {
  const files: Files = new Map();
  files.set('config.json', json(config));
  addWeights(files, 'model', tensors);
  if (tokenizer !== undefined) files.set('tokenizer.json', json(tokenizer));
  if (vae) {
    files.set('vae/config.json', json(vae.config));
    addWeights(files, 'vae/diffusion_pytorch_model', vae.tensors);
  }
  return files;
}

/** @param base with its folder */
export function addWeights(files: Files, base: string, tensors: Map<string, TensorData>): void {
  const folder = base.includes('/') ? base.slice(0, base.lastIndexOf('/') + 1) : '';
  for (const [name, content] of encodeWeights(base.slice(folder.length), tensors)) {
    files.set(folder + name, typeof content === 'string' ? new TextEncoder().encode(content) : joined([...content]));
  }
}

export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** The same with SHA256SUMS beside, where the page has what hashes. */
export async function withSums(files: Files): Promise<Files> {
  if (!globalThis.crypto?.subtle) return files;
  const sums: Record<string, string> = {};
  for (const [name, bytes] of files) sums[name] = await sha256(bytes);
  return new Map([...files, [SUMS_FILE, new TextEncoder().encode(formatSums(sums))]]);
}

/** As `readHashedModelFolder` of the sampler has them; undefined where the page has nothing that hashes. */
export async function modelHashes(files: Files): Promise<ModelHashes | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const of = (wanted: (name: string) => boolean) => {
    const names = [...files.keys()].filter(wanted).sort();
    return sha256(joined(names.map((name) => files.get(name)!)));
  };
  const isWeights = (name: string) => name.endsWith('.safetensors');
  const inVae = (name: string) => name.startsWith('vae/');
  return {
    config: await of((name) => name === 'config.json'),
    tokenizer: await of((name) => name === 'tokenizer.json'),
    weights: await of((name) => isWeights(name) && !inVae(name) && !name.startsWith('optimizer')),
    ...(files.has('vae/config.json') && {
      vae: await of((name) => inVae(name) && (name === 'vae/config.json' || isWeights(name))),
    }),
  };
}

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
