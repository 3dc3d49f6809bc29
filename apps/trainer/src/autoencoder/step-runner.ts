/** @file Runs an autoencoder's steps: plain ones, adversarial ones once the discriminator has started, and revivals. */
import { adamwHyper } from '@transfusion/nn';
import { createLearningRate } from '@transfusion/schedulers';
import { type Backend, TransfusionError } from '@transfusion/tensor';
import { codebookUse, type VqConfig } from '@transfusion/vae';
import { emaDecayAt } from '../config/shared-fields.js';
import type { StepRecord } from '../train/loop.js';
import type { VaeRunConfig } from './config.js';
import {
  type AutoencoderState,
  type AutoencoderStepOptions,
  compileAdversarialStep,
  compilePlainStep,
  compileRevival,
  type Perceptual,
} from './training-step.js';

export interface AutoencoderStepRunner {
  /** Floating-point operations of a step without a discriminator. */
  flops: number;
  /** Bytes of scratch memory. */
  arenaBytes: number;
  /** Trains on images [batch, size, size, 3]. Steps count from 0. @throws TransfusionError TRAINING_DIVERGED */
  run(step: number, images: Float32Array): Promise<StepRecord>;
  dispose(): void;
}

export interface RunnerOptions {
  backend: Backend;
  state: AutoencoderState;
  options: AutoencoderStepOptions;
  config: VaeRunConfig;
  perceptual?: Perceptual;
}

/** Third words of Philox counters, so that latents' noise and revivals are independent. */
const DRAWS = { latents: 0, revival: 1 };

export async function createAutoencoderRunner(runner: RunnerOptions): Promise<AutoencoderStepRunner> {
  const { backend, state, options, config, perceptual } = runner;
  const learningRate = createLearningRate(config.learningRate);
  const { adversarialStart } = config.loss;
  const seedOf = (step: number, draw: number) =>
    Int32Array.of(config.seed % 2 ** 32, Math.floor(config.seed / 2 ** 32), step, draw);
  const plain = await compilePlainStep(backend, state, options, perceptual);
  let adversarial: Awaited<ReturnType<typeof compileAdversarialStep>> | undefined;
  const revival = await revivalOf(runner);

  async function runStep(step: number, images: Float32Array): Promise<Record<string, Float32Array>> {
    const rate = learningRate(step + 1);
    const common = {
      images,
      noiseSeed: seedOf(step, DRAWS.latents),
      hyper: adamwHyper({ ...config.optimizer, learningRate: rate, step: step + 1 }),
      emaDecay: Float32Array.of(emaDecayAt(config.ema, step + 1)),
    };
    if (!options.discriminator || step < adversarialStart) return plain.run(common);
    adversarial ??= await compileAdversarialStep(backend, state, options, perceptual);
    const own = { ...config.optimizer, learningRate: rate, step: step + 1 - adversarialStart };
    return adversarial.run({ ...common, discriminatorHyper: adamwHyper(own) });
  }

  return {
    flops: plain.program.flops,
    arenaBytes: plain.program.arenaBytes.reduce((sum, bytes) => sum + bytes, 0),
    async run(step, images) {
      const { norm, ...terms } = await runStep(step, images);
      const means = Object.fromEntries(Object.entries(terms).map(([name, [value]]) => [name, value]));
      for (const [name, value] of Object.entries({ ...means, gradientNorm: norm[0] })) {
        if (!Number.isFinite(value)) throw diverged(step + 1, name, value);
      }
      const latest: StepRecord['latest'] = { gradientNorm: norm[0], learningRate: learningRate(step + 1) };
      if (revival && (step + 1) % config.revival.every === 0) {
        const { uses } = await revival(step, images);
        const { share, perplexity } = codebookUse(uses);
        Object.assign(latest, { codebookUse: share, perplexity });
      }
      return { means, latest };
    },
    dispose() {
      plain.dispose();
      adversarial?.dispose();
    },
  };

  /** After `revival.until` of the steps, the uses are still counted and reported, and no code is moved. */
  async function revivalOf({ options: { autoencoder, ...rest } }: RunnerOptions) {
    if (autoencoder._class_name !== 'VQModel' || config.revival.every === 0) return undefined;
    const vq: VqConfig = autoencoder;
    const compileFor = (threshold: number) => compileRevival(backend, state, { ...rest, autoencoder: vq }, threshold);
    const reviving = await compileFor(config.revival.threshold);
    const counting = await compileFor(0);
    return (step: number, images: Float32Array) => {
      const isLate = step + 1 > config.revival.until * config.steps;
      return (isLate ? counting : reviving).run({ images, seed: seedOf(step, DRAWS.revival) });
    };
  }
}

function diverged(step: number, name: string, value: number): TransfusionError {
  return new TransfusionError({
    code: 'TRAINING_DIVERGED',
    message: `step ${step}: ${name} is ${value}`,
    fix: 'lower learningRate.learningRate or raise its warmupSteps, and resume from the last checkpoint',
  });
}
