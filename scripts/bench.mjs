/** @file `npm run bench`: measures matrix product, attention and the training step beside other engines. */
import { runInForeground } from './lib/processes.mjs';
import { setupOrExit } from './setup.mjs';

const { environment, executable } = await setupOrExit({ webgpu: true, computing: true });
process.exitCode = await runInForeground(['bench/dist/main.js', ...process.argv.slice(2)], {
  executable,
  env: environment,
});
