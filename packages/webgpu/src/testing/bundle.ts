/** @file The package as one file, for scripts that tests run in plain Node, without jest's environment. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

/** Of the repository. Bundles lie inside it, where they find the `webgpu` package. */
export const root = resolve(__dirname, '../../../..');

const BUILD = `
import { build } from 'tsup';
await build({
  entry: ['packages/webgpu/src/index.ts'],
  format: 'esm',
  outDir: process.argv[1],
  config: false,
  silent: true,
  dts: false,
  noExternal: [/^@transfusion/],
  external: ['webgpu'],
  esbuildOptions: (options) => {
    options.conditions = ['@transfusion/source'];
  },
});`;

/** Writes `index.js` to the folder. */
export function bundlePackage(folder: string): void {
  execFileSync(process.execPath, ['--input-type=module', '--eval', BUILD, folder], { cwd: root });
}
