/** @file Folders as users have them: with the packages, as built, pictures with captions and a model without training. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(__dirname, '../..');

/** Makes folders by name, each with `pictures` and `runs/demo/model`; all are removed after the tests of the file. */
export function usableFolders(): (name: string) => string {
  let all: string;
  const made = () => join(all, 'made');
  beforeAll(async () => {
    all = mkdtempSync(join(tmpdir(), 'transfusion-usable-'));
    mkdirSync(made());
    const script = join(root, 'scripts/lib/untrained-model.mjs');
    await promisify(execFile)(process.execPath, [script], { cwd: made() });
  });
  afterAll(() => rmSync(all, { recursive: true, force: true, maxRetries: 3 }));
  return (name) => {
    const path = join(all, name);
    cpSync(made(), path, { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'), 'junction');
    return path;
  };
}
