/**
 * @file Bundles page.ts for a browser, from the packages' sources or from what they publish: `node bundle.mjs
 * <sources|dist> <folder>`. Writes `<folder>/page.js`. Fails on any error or warning of the bundler, such as an import of
 * something of Node's.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

const [origin, folder] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));

/** tsup drops what esbuild reports if told to be silent, so it is kept here. */
const failOnWarnings = {
  name: 'fail-on-warnings',
  setup(builder) {
    builder.onEnd(({ warnings }) => ({ errors: warnings }));
  },
};

await build({
  config: false,
  silent: true,
  entry: { page: join(here, 'page.ts') },
  outDir: folder,
  // A script of its own with everything in it.
  format: 'iife',
  outExtension: () => ({ js: '.js' }),
  platform: 'browser',
  target: 'es2022',
  // Else tsup takes `node:fs` for something that will be there.
  removeNodeProtocol: false,
  esbuildOptions(options) {
    options.conditions = origin === 'sources' ? ['@transfusion/source'] : [];
  },
  esbuildPlugins: [failOnWarnings],
});
