/**
 * @file Bundles a script for a browser, out of the packages' sources or of what they publish:
 * `node build-bundle.mjs <page.ts|published.ts|model.ts|hub.ts> <sources|dist> <folder>` writes `<folder>/bundle.js`. Any error or
 * warning of the bundler fails, such as the one about an import of something of Node's.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

const [entry, origin, folder] = process.argv.slice(2);

/** A silent tsup drops the bundler's warnings, so they become errors. */
const failOnWarnings = {
  name: 'fail-on-warnings',
  setup(builder) {
    builder.onEnd(({ warnings }) => ({ errors: warnings }));
  },
};

await build({
  config: false,
  silent: true,
  entry: { bundle: join(dirname(fileURLToPath(import.meta.url)), entry) },
  outDir: folder,
  // In this format tsup leaves no import outside.
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
