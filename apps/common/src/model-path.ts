/** @file Models by name: those that come with the repository, in its `models` folder. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TransfusionError } from '@transfusion/tensor';

/**
 * The folder of a model: one of the repository's by name, such as `emoji-64-kl`, or a path.
 * @throws TransfusionError MODEL_NAME: there is neither
 */
export function modelPath(nameOrPath: string): string {
  const shipped = shippedModels();
  const isName = /^[\w.-]+$/.test(nameOrPath) && !/^\.{1,2}$/.test(nameOrPath);
  if (shipped && isName && existsSync(join(shipped, nameOrPath, 'config.json'))) return join(shipped, nameOrPath);
  if (existsSync(nameOrPath)) return nameOrPath;
  const names = shipped ? readdirSync(shipped).filter((name) => existsSync(join(shipped, name, 'config.json'))) : [];
  throw new TransfusionError({
    code: 'MODEL_NAME',
    message: `there is no folder ${nameOrPath}, and no model of that name`,
    fix: `give a model folder${names.length > 0 ? `, or one of ${names.join(', ')}` : ''}`,
  });
}

/** The repository's `models`, above this file. */
function shippedModels(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, 'models');
    if (existsSync(candidate) && existsSync(join(folder, 'package.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
