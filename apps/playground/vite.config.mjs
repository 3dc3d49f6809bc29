/** @file Bundles the page: workspace packages from their sources, workers as modules, every address relative. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // So that the page works below any path of a server.
  base: './',
  plugins: [svelte()],
  resolve: { conditions: ['@transfusion/source', ...defaultClientConditions] },
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 4000 },
});
