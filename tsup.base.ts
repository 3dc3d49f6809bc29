import { readFile } from 'node:fs/promises';
import { defineConfig, type Options } from 'tsup';

/**
 * Zod's `z` is an object that has dozens of languages beside what is used, and esbuild takes all of it into a page: 57 kB, packed. Of
 * the module's namespace, which has the same names, it takes what is used.
 */
const zodInParts: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'zod-in-parts',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      return { contents: source.replace(/^import \{ z \} from 'zod';$/m, "import * as z from 'zod';"), loader: 'ts' };
    });
  },
};

/** The build every published package shares: ESM and CommonJS with types, one entry per export. */
export function packageBuild(options: Options = {}) {
  return defineConfig({
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    // `npm run typecheck` checks, all packages at once.
    dts: { compilerOptions: { noCheck: true } },
    sourcemap: true,
    clean: true,
    target: 'es2022',
    esbuildPlugins: [zodInParts],
    ...options,
  });
}
