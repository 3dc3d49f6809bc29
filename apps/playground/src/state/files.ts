/** @file Files in and out of the page: dropped, pasted, chosen, saved. */
import type { GivenFile } from '../engine/protocol.js';

/** Saves bytes as a file. */
export function save(name: string, bytes: Uint8Array, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What was chosen with an input; of a folder with the paths inside. */
export function chosenFiles(input: HTMLInputElement): GivenFile[] {
  const files = [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  // The same files can be chosen again.
  input.value = '';
  return files;
}

/** What was dropped, folders with all that is in them. */
export async function droppedFiles(transfer: DataTransfer): Promise<GivenFile[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }));
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry: FileSystemEntry): Promise<GivenFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // A hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}

/** A name for a number of files. */
export function nameOf(files: readonly GivenFile[]): string {
  const [{ path }] = files;
  return path.includes('/') ? path.split('/')[0] : path.replace(/\.zip$/i, '');
}

export function pictureOf(items: DataTransfer | null): File | undefined {
  return [...(items?.files ?? [])].find(({ type }) => type.startsWith('image/'));
}
