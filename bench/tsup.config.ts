import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/main.ts', 'src/engine-child.ts'],
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  // Rivals are run as they are published, not bundled.
  external: ['@jax-js/jax', /^@tensorflow\//],
});
