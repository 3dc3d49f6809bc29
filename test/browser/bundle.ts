/** @file Bundles a script in a process of its own: jest's module registry has no dynamic imports, which tsup needs. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The script as one piece of JavaScript. Rejects with what the bundler says. */
export async function bundle(
  entry: 'page.ts' | 'published.ts' | 'model.ts' | 'hub.ts',
  origin: 'sources' | 'dist',
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-browser-'));
  try {
    await promisify(execFile)(process.execPath, [join(__dirname, 'build-bundle.mjs'), entry, origin, folder]);
    return await readFile(join(folder, 'bundle.js'), 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
