/** @file Files that the page was published with: fetched in pieces, checked by their hashes. */
import { TransfusionError } from '@transfusion/core';
import type { Files } from './folders.js';
import { sha256 } from './model-files.js';
import type { LoadProgress, Shipped, ShippedFile, ShippedFolder } from './protocol.js';

export interface DownloadOptions {
  /** Address that paths are relative to. */
  base: string;
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
}

/** What the page was published with; nothing where the list is missing. */
export async function fetchShipped(base: string): Promise<Shipped> {
  try {
    const response = await fetch(new URL('shipped.json', base));
    return response.ok ? ((await response.json()) as Shipped) : {};
  } catch {
    return {};
  }
}

/** A name for this version of a folder. */
export function versionOf({ files }: ShippedFolder): string {
  const sums = Object.keys(files)
    .sort()
    .map((name) => `${name}:${files[name].sha256}`);
  return sums.join(' ');
}

/** @throws TransfusionError DOWNLOAD_FAILED, DOWNLOAD_CHANGED; what `signal` was aborted with */
export async function downloadFolder({ name, files }: ShippedFolder, options: DownloadOptions): Promise<Files> {
  const total = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  const got: Files = new Map();
  let before = 0;
  for (const [file, shipped] of Object.entries(files)) {
    const onBytes = (bytes: number) =>
      options.onProgress?.({ doing: `Fetching ${name}`, done: Math.min(before + bytes, total), total });
    got.set(file, await downloadFile(shipped, { ...options, onBytes }));
    before += shipped.bytes;
  }
  return got;
}

/** @throws as `downloadFolder` */
export async function downloadFile(
  { path, sha256: expected }: ShippedFile,
  { base, signal, onBytes }: Omit<DownloadOptions, 'onProgress'> & { onBytes?: (bytes: number) => void },
): Promise<Uint8Array> {
  const bytes = await fetchWhole(new URL(path, base), path, { signal, onBytes });
  // Pages that are neither from https nor from localhost have nothing that hashes.
  if (!globalThis.crypto?.subtle) return bytes;
  const found = await sha256(bytes);
  if (found === expected) return bytes;
  throw new TransfusionError({
    code: 'DOWNLOAD_CHANGED',
    message: `${path} is not the file that was published: its SHA-256 is ${found.slice(0, 12)}…, expected ${expected.slice(0, 12)}…`,
    fix: 'Reload the page; if it stays so, the server has an incomplete copy.',
  });
}

async function fetchWhole(
  url: URL,
  path: string,
  { signal, onBytes }: { signal?: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const reader = response.body!.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      pieces.push(piece.value);
      bytes += piece.value.length;
      onBytes?.(bytes);
    }
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  } catch (cause) {
    signal?.throwIfAborted();
    throw new TransfusionError({
      code: 'DOWNLOAD_FAILED',
      message: `${path} could not be fetched (${cause instanceof Error ? cause.message : cause})`,
      fix: 'Check the connection and reload the page.',
      cause,
    });
  }
}
