/**
 * @file Builds what running needs, without types: the wasm kernels, then the JavaScript of every workspace, in one process
 * because starting tsup takes longer than its work.
 */
import { build } from 'tsup';
import { runNode } from './lib/processes.mjs';
import { workspaces } from './lib/repository.mjs';

await runNode(['packages/wasm/scripts/build-kernels.mjs']);
for (const { path } of workspaces().filter(({ manifest }) => manifest.scripts?.build)) {
  process.chdir(path);
  await build({
    dts: false,
    silent: true,
    // esbuild is started once, in the first folder.
    esbuildOptions: (options) => {
      options.absWorkingDir = path;
    },
  });
}
