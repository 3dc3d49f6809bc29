/** @file `trainer vae`: train an autoencoder, KL or VQ, or go on with a run. */
import { join } from 'node:path';
import { type BackendChoice, formatSeconds, openBackend, type Terminal } from '@transfusion/app-common';
import { countParameters } from '@transfusion/nn';
import { autoencoderSpec } from '@transfusion/vae';
import { vaeRunConfigSchema } from '../autoencoder/config.js';
import { describeAutoencoderRun } from '../autoencoder/dry-run.js';
import { describeScores } from '../autoencoder/evaluate.js';
import { vaePresets } from '../autoencoder/presets.js';
import { loadAutoencoderRun } from '../autoencoder/run-folder.js';
import { openAutoencoderSession } from '../autoencoder/session.js';
import { type AutoencoderTrainResult, trainAutoencoder } from '../autoencoder/train-autoencoder.js';
import { learningRateAdvice } from '../config/learning-rate.js';
import { type ConfigSources, resolveConfig } from '../config/resolve-config.js';
import { runFiles } from '../train/run-files.js';
import { alreadyDone, refuseExisting, resumedConfig } from './resumed-config.js';

export const autoencoderRuns = { schema: vaeRunConfigSchema, presets: vaePresets };

export interface VaeCommandOptions extends ConfigSources {
  /** Where runs are kept. */
  runs: string;
  /** Folder of a run to go on with. */
  resume?: string;
  /** Start over where there is a run of that name. */
  overwrite?: boolean;
  dryRun?: boolean;
  backend: BackendChoice;
}

export async function vaeCommand(
  options: VaeCommandOptions,
  terminal: Terminal,
): Promise<AutoencoderTrainResult | undefined> {
  const resumed = options.resume === undefined ? undefined : await loadAutoencoderRun(options.resume);
  const config = resumed
    ? resumedConfig(vaeRunConfigSchema, resumed.state.config, options)
    : await resolveConfig(autoencoderRuns, options);
  const folder = options.resume ?? join(options.runs, config.name);
  const cacheFolder = join(options.runs, '..', '.cache', 'data');
  if (options.dryRun) {
    terminal.out(await describeAutoencoderRun(config, { cacheFolder, terminal }));
    return undefined;
  }
  if (!resumed && !options.overwrite) await refuseExisting(folder);
  const backend = await openBackend(options.backend, terminal);
  try {
    const session = await openAutoencoderSession({ config, backend, cacheFolder, terminal, resume: resumed });
    try {
      const { train, heldOut } = session.images;
      for (const advice of learningRateAdvice(config)) terminal.log(advice);
      const parameters = countParameters(autoencoderSpec(session.autoencoder)).toLocaleString('en');
      terminal.log(`${parameters} parameters; ${train.length} pictures to train on, ${heldOut.length} held out`);
      if (resumed && resumed.state.step >= config.steps) terminal.log(alreadyDone(resumed.state.step, config.steps));
      terminal.log(`${folder}: ${config.steps} steps of ${config.batchSize} images; Ctrl-C saves and leaves`);
      const result = await trainAutoencoder({ session, folder, start: resumed?.state, signal: terminal.signal });
      const left = result.finished ? '' : `; go on with --resume ${folder}`;
      terminal.log(
        `saved ${runFiles(folder).model} at step ${result.step} after ${formatSeconds(result.trainSeconds)}${left}`,
      );
      if (result.scores) terminal.out(describeScores(result.scores));
      return result;
    } finally {
      session.dispose();
    }
  } finally {
    await backend.dispose();
  }
}
