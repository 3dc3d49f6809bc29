/** @file Runs of `trainer vae`: autoencoders, KL or VQ. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modelPath, type Terminal } from '@transfusion/app-common';
import { openCheckpoint, readSafetensorsFile } from '@transfusion/checkpoint/node';
import { imageOf } from '@transfusion/data';
import { countParameters } from '@transfusion/nn';
import {
  type AutoencoderSession,
  type AutoencoderTask,
  autoencoderTask,
  describeScores,
  learningRateAdvice,
  mebibytes,
  openAutoencoderSession,
  planRun,
  reconstruct,
  scoreAutoencoder,
  splitImages,
  spread,
  stepOptionsOf,
} from '@transfusion/training';
import { changedData, fingerprintOf, type LoadedAutoencoderRun, loadAutoencoderRun } from '@transfusion/training/node';
import { autoencoderSpec, readCodecFolder } from '@transfusion/vae';
import { type VaeRunConfig, vaeRunConfigSchema } from '../config/vae-run-config.js';
import { loadDataset } from '../data/dataset.js';
import { autoencoderPresets } from '../presets/autoencoders.js';
import { comparisonGrid } from '../report/comparison-grid.js';
import type { Kind, OpenedRun, OpenOptions, PlanContext, RunContext } from './kind.js';

type LoadedAutoencoder = LoadedAutoencoderRun<VaeRunConfig>;
type AutoencoderRun = OpenedRun<VaeRunConfig, AutoencoderSession>;

export const autoencoderKind: Kind<VaeRunConfig, AutoencoderSession, LoadedAutoencoder> = {
  schema: vaeRunConfigSchema,
  presets: autoencoderPresets,
  load: (folder) => loadAutoencoderRun(folder, vaeRunConfigSchema),
  open,
  plan,
  describe({ session: { autoencoder, images } }) {
    const parameters = countParameters(autoencoderSpec(autoencoder)).toLocaleString('en');
    return [`${parameters} parameters; ${images.train.length} pictures to train on, ${images.heldOut.length} held out`];
  },
  progress({ l1, imagesPerSecond, ...others }) {
    const rest = ['kl', 'codebook', 'ssim', 'lpips', 'generator', 'discriminator']
      .filter((name) => others[name] !== undefined)
      .map((name) => `${name} ${others[name].toPrecision(3)}`);
    return [`L1 ${l1.toFixed(4)}`, ...rest, `${imagesPerSecond.toFixed(1)} images/s`].join(' ');
  },
  sample: (run, path, signal) => present(run, `${path}.png`, run.config.sample.scored, signal),
  async finish(run, folder, signal) {
    const { heldOut } = run.session.images;
    const scores = await present(run, join(folder, 'reconstructions.png'), heldOut.length, signal);
    return scores.heldOut && describeScores(scores.heldOut);
  },
};

async function open(config: VaeRunConfig, options: OpenOptions<LoadedAutoencoder>): Promise<AutoencoderRun> {
  const { backend, resume, terminal, onPlan, communicator } = options;
  const task = await prepare(config, { log: terminal?.log, isResumed: resume !== undefined });
  const { step } = await planRun(
    task.phases,
    { ...stepOptionsOf(task.optimisation), limits: backend.limits, place: communicator },
    config.steps,
    task.constants,
  );
  const images = await loadImages(config, options);
  const data = fingerprintOf([...images.train, ...images.heldOut]);
  const changed = resume && changedData(resume.state, data);
  if (changed !== undefined) terminal?.log(changed);
  onPlan?.(step);
  const point = resume && { step: resume.state.step, values: resume.values };
  const session = await openAutoencoderSession({ task, backend, images, resume: point, communicator });
  return { config, session, record: { kind: 'autoencoder', config, data } };
}

async function prepare(
  config: VaeRunConfig,
  { log, isResumed = false }: { log?: Terminal['log']; isResumed?: boolean } = {},
): Promise<AutoencoderTask> {
  const { loss, steps, initialWeights } = config;
  const { imageSize } = config.data;
  const where = loss.lpips > 0 ? loss.lpipsWeights : null;
  if (loss.lpips > 0 && where === null) log?.('LPIPS is off: loss.lpipsWeights names no file');
  if (loss.adversarial > 0 && loss.adversarialStart >= steps) {
    log?.(`the discriminator would start at step ${loss.adversarialStart}, after the last one`);
  }
  const initial =
    initialWeights === null || isResumed
      ? undefined
      : await openCheckpoint(modelPath(initialWeights), (reader) => readCodecFolder(reader));
  const task = autoencoderTask({
    ...{ config, initial, size: { height: imageSize, width: imageSize } },
    ...(where === null ? {} : { perceptual: { tensors: await readSafetensorsFile(where), where } }),
  });
  if (task.given) log?.(`${task.given.size} parameters start from ${initialWeights}`);
  return task;
}

/** Training and held-out pictures; captions are not looked for. */
export async function loadImages(config: Pick<VaeRunConfig, 'data'>, context: RunContext) {
  const { images } = await loadDataset({ ...config.data, captions: 'none' }, context);
  return splitImages(config, images);
}

async function plan(config: VaeRunConfig, context: PlanContext<LoadedAutoencoder>): Promise<string> {
  const task = await prepare(config);
  const { autoencoder } = task;
  const options = { ...stepOptionsOf(task.optimisation), place: context.place };
  const { step, totalFlops } = await planRun(task.phases, options, config.steps);
  const { train, heldOut } = await loadImages(config, context);
  return [
    JSON.stringify({ ...config, resolvedAutoencoder: autoencoder }, null, 2),
    '',
    ...learningRateAdvice(config),
    `pictures          ${train.length} to train on, ${heldOut.length} held out`,
    `parameters        ${countParameters(autoencoderSpec(autoencoder)).toLocaleString('en')}`,
    `work              ${(totalFlops / 1e12).toPrecision(3)} TFLOP in all, at most ${(step.flops / 1e9).toFixed(2)} GFLOP a step (without LPIPS)`,
    `memory: state     ${mebibytes(step.stateBytes)} (weights, two moments, average; the discriminator's too)`,
    `memory: scratch   ${mebibytes(step.arenaBytes)} (activations and gradients; ${mebibytes(step.liveBytes)} in use at once)`,
  ].join('\n');
}

/** Writes a grid of held-out pictures (training ones where there are none) and scores `scored` held-out ones. */
async function present({ session, config }: AutoencoderRun, path: string, scored: number, signal?: AbortSignal) {
  const { images } = session;
  const codec = await session.openCodec();
  try {
    const few = spread(images.heldOut.length > 0 ? images.heldOut : images.train, config.sample.images);
    await writeFile(path, comparisonGrid(few.map(imageOf), await reconstruct(codec, few), 128));
    const scoredImages = spread(images.heldOut, scored);
    return scoredImages.length > 0 ? { heldOut: await scoreAutoencoder(codec, scoredImages, { signal }) } : {};
  } finally {
    codec.dispose();
  }
}
