import { defineConfig, type Options } from 'tsup';

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
    ...options,
  });
}
