/** @file `npm run bench`: measures matrix product, attention and the training step beside other engines. */
import { runInForeground } from './lib/processes.mjs';
import { setupOrExit } from './setup.mjs';

const { environment } = await setupOrExit({ webgpu: true });
process.exitCode = await runInForeground(['bench/dist/main.js', ...process.argv.slice(2)], { env: environment });
