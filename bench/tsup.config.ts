import { defineConfig } from 'tsup';

/** What the WebAssembly glue of tfjs, written for CommonJS, asks for. */
const COMMON_JS_NAMES = `
import { createRequire as benchCreateRequire } from 'node:module';
const require = benchCreateRequire(import.meta.url);
const __filename = require('node:url').fileURLToPath(import.meta.url);
const __dirname = require('node:path').dirname(__filename);
`;

export default defineConfig({
  entry: ['src/main.ts', 'src/engine-child.ts', 'src/large-image.ts'],
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  external: ['@jax-js/jax'],
  // The gradients of tfjs are in modules that Node cannot load without a bundler.
  noExternal: [/^@tensorflow\//],
  banner: { js: COMMON_JS_NAMES.trim() },
});
