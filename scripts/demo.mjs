/** @file `npm run demo`: trains a small model on captioned emoji, draws images from captions and captions images. */
import { runInForeground } from './lib/processes.mjs';
import { setupOrExit } from './setup.mjs';

const { seconds, executable } = await setupOrExit({ computing: true });
process.exitCode = await runInForeground(['apps/trainer/dist/cli.js', 'demo', ...process.argv.slice(2)], {
  executable,
  env: { TRANSFUSION_SETUP_SECONDS: seconds.toFixed(3) },
});
