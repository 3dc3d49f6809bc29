import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/cli.ts'],
  format: ['esm'],
  target: 'node20',
  sourcemap: true,
  clean: true,
  // Shared source without a build of its own; what it imports in turn is not bundled.
  noExternal: ['@transfusion/app-common'],
  external: [/^@transfusion\/(?!app-common$)/, 'cli-progress', 'commander', 'picocolors', 'sharp'],
});
