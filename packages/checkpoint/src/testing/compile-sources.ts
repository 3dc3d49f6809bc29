/** @file Sources for a process of its own, which a test may kill. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { transform } from '@swc/core';

/** A package's sources as JavaScript that a plain Node process runs. */
export async function compileSources(source: string, target: string): Promise<void> {
  for (const entry of await readdir(source, { recursive: true })) {
    if (!entry.endsWith('.ts') || entry.endsWith('.test.ts')) continue;
    const code = await readFile(join(source, entry), 'utf8');
    const output = await transform(code, {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    await mkdir(dirname(join(target, entry)), { recursive: true });
    await writeFile(join(target, entry.replace(/\.ts$/, '.js')), output.code);
  }
  const exports = { '.': './index.js', './node': './node/index.js' };
  await writeFile(join(target, 'package.json'), JSON.stringify({ type: 'module', exports }));
}

/** Installed packages, in the `node_modules` of such a process. */
export async function linkPackages(names: readonly string[], modules: string): Promise<void> {
  for (const name of names) {
    const folder = dirname(createRequire(__filename).resolve(`${name}/package.json`));
    await symlink(folder, join(modules, name), 'junction');
  }
}
