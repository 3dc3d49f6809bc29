/** @file For svelte-check and the editor: TypeScript in components. */
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default { preprocess: vitePreprocess() };
