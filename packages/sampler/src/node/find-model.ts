/** @file The folder of a model that is told by a path, or by the name of an npm package that has it. */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TransfusionError } from '@transfusion/core';

/** Where a package has its model. */
const MODEL = 'model';
/** As npm allows them: "@transfusion/emoji-64", "emoji". */
const PACKAGE_NAME = /^(@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/;

/**
 * The folder `model` of an installed package, if it has one.
 *
 * @param name looked for from the working directory, then from where this package is; the first that is there counts
 */
export function packagedModel(name: string): string | undefined {
  const root = PACKAGE_NAME.test(name) ? packageFolder(name) : undefined;
  const folder = root && join(root, MODEL);
  return folder && existsSync(join(folder, 'config.json')) ? folder : undefined;
}

/**
 * The folder that a model is in: a path is itself, the name of an installed package the folder `model` of it. What is neither is
 * returned as it is, for an error of whoever reads it; but a name with a scope can be nothing but a package.
 *
 * @throws TransfusionError MODEL_NAME: there is no package of that name, or no model in it; it is on the hub
 */
export function findModelFolder(nameOrPath: string): string {
  if (/^hf:\/\//i.test(nameOrPath)) throw ofHub(nameOrPath);
  if (statSync(nameOrPath, { throwIfNoEntry: false }) || !PACKAGE_NAME.test(nameOrPath)) return nameOrPath;
  const found = packagedModel(nameOrPath);
  if (found !== undefined || !nameOrPath.startsWith('@')) return found ?? nameOrPath;
  const root = packageFolder(nameOrPath);
  throw new TransfusionError({
    code: 'MODEL_NAME',
    message: root
      ? `the package ${nameOrPath} in ${root} has no ${MODEL}/config.json`
      : `there is no folder ${nameOrPath}, and no package of that name is installed`,
    fix: root
      ? 'install a version of it that has a model, or give the path of a model folder'
      : `npm install ${nameOrPath}, or give the path of a model folder`,
  });
}

function ofHub(address: string): TransfusionError {
  return new TransfusionError({
    code: 'MODEL_NAME',
    message: `${address} is on the Hugging Face hub, not here`,
    fix: `fetch it first: openModel(await fromHub('${address}'), backend), with fromHub of @transfusion/hub/node`,
  });
}

function packageFolder(name: string): string | undefined {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {}
  }
  return undefined;
}
