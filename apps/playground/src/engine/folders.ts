/** @file Folders of files in a store, each replaced whole or not at all: what a crash cut short is not there. */
import type { Store } from './storage.js';

export type Files = Map<string, Uint8Array>;

interface Manifest {
  /** Rises with every version. */
  version: number;
  files: Record<string, number>;
}

const SLOTS = ['a', 'b'] as const;

/** Writes beside the version before, which goes once this one is whole. */
export async function writeFolder(store: Store, folder: string, files: Files): Promise<void> {
  const current = await currentSlot(store, folder);
  const slot = SLOTS.find((each) => each !== current?.slot)!;
  await store.remove(`${folder}/${slot}`);
  for (const [name, bytes] of files) await store.write(`${folder}/${slot}/${encodeName(name)}`, bytes);
  const sizes = Object.fromEntries([...files].map(([name, { length }]) => [name, length]));
  const manifest: Manifest = { version: (current?.manifest.version ?? 0) + 1, files: sizes };
  await store.write(`${folder}/${slot}/manifest`, new TextEncoder().encode(JSON.stringify(manifest)));
  if (current) await store.remove(`${folder}/${current.slot}`);
}

/** @returns undefined where there is no whole version */
export async function readFolder(store: Store, folder: string): Promise<Files | undefined> {
  const current = await currentSlot(store, folder);
  if (!current) return undefined;
  const files: Files = new Map();
  for (const [name, length] of Object.entries(current.manifest.files)) {
    const bytes = await store.read(`${folder}/${current.slot}/${encodeName(name)}`);
    if (bytes?.length !== length) return undefined;
    files.set(name, bytes);
  }
  return files;
}

/** Bytes of a folder. @returns undefined where there is none */
export async function folderBytes(store: Store, folder: string): Promise<number | undefined> {
  const current = await currentSlot(store, folder);
  return current && Object.values(current.manifest.files).reduce((sum, bytes) => sum + bytes, 0);
}

/** A file of the current version. */
export async function readFolderFile(store: Store, folder: string, name: string): Promise<Uint8Array | undefined> {
  const current = await currentSlot(store, folder);
  return current && store.read(`${folder}/${current.slot}/${encodeName(name)}`);
}

async function currentSlot(store: Store, folder: string) {
  const found: { slot: (typeof SLOTS)[number]; manifest: Manifest }[] = [];
  for (const slot of SLOTS) {
    const bytes = await store.read(`${folder}/${slot}/manifest`);
    const manifest = bytes && parsed(bytes);
    if (manifest) found.push({ slot, manifest });
  }
  return found.sort((a, b) => b.manifest.version - a.manifest.version)[0];
}

function parsed(bytes: Uint8Array): Manifest | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
  } catch {
    return undefined;
  }
}

/** One flat folder: names have slashes. */
function encodeName(name: string): string {
  return name.replaceAll('/', '~');
}
