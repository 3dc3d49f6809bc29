/** @file Runs an autoencoder's steps: plain ones, adversarial ones once the discriminator has started, and revivals. */
import { adamwHyper } from '@transfusion/nn';
import type { Backend } from '@transfusion/tensor';
import { codebookUse } from '@transfusion/vae';
import { runLearningRate } from '../config/learning-rate.js';
import { emaDecayAt } from '../config/shared-fields.js';
import { checkFinite } from '../train/diverged.js';
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
  /** Floating-point operations of a step as they are now: more once the discriminator takes part. */
  readonly flops: number;
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

/** Fourth words of Philox seeds and counters, so that latents' noise and revivals are independent. */
const DRAWS = { latents: 0, revival: 1 };

type Step = Awaited<ReturnType<typeof compilePlainStep>> | Awaited<ReturnType<typeof compileAdversarialStep>>;

/** @param firstStep the step to start at: what is not needed from there on is not compiled */
export async function createAutoencoderRunner(runner: RunnerOptions, firstStep = 0): Promise<AutoencoderStepRunner> {
  const { backend, state, options, config, perceptual } = runner;
  const learningRate = runLearningRate(config);
  const start = options.discriminator ? config.loss.adversarialStart : Number.POSITIVE_INFINITY;
  const seedOf = (step: number, draw: number) =>
    Int32Array.of(config.seed % 2 ** 32, Math.floor(config.seed / 2 ** 32), step, draw);
  const compileStep = (isAdversarial: boolean): Promise<Step> =>
    isAdversarial
      ? compileAdversarialStep(backend, state, options, perceptual)
      : compilePlainStep(backend, state, options, perceptual);
  let isAdversarial = firstStep >= start;
  let compiled = await compileStep(isAdversarial);
  const revival = await compiledRevival(runner);
  let codebook = {};

  async function runStep(step: number, images: Float32Array): Promise<Record<string, Float32Array>> {
    if (step >= start !== isAdversarial) {
      compiled.dispose();
      isAdversarial = step >= start;
      compiled = await compileStep(isAdversarial);
    }
    const rate = learningRate(step + 1);
    const hyper = (count: number) => adamwHyper({ ...config.optimizer, learningRate: rate, step: count });
    const inputs = {
      images,
      noiseSeed: seedOf(step, DRAWS.latents),
      hyper: hyper(step + 1),
      emaDecay: Float32Array.of(emaDecayAt(config.ema, step + 1)),
      ...(isAdversarial ? { discriminatorHyper: hyper(step + 1 - start) } : {}),
    };
    return (compiled.run as (inputs: unknown) => Promise<Record<string, Float32Array>>)(inputs);
  }

  /** Uses of codes until now; after `revival.until` of the steps they are counted only, and no code is moved. */
  async function revive(step: number, images: Float32Array): Promise<void> {
    if (!revival || (step + 1) % config.revival.every !== 0) return;
    const isLate = step + 1 > config.revival.until * config.steps;
    const threshold = Float32Array.of(isLate ? 0 : config.revival.threshold);
    const { uses } = await revival.run({ images, seed: seedOf(step, DRAWS.revival), threshold });
    const { share, perplexity } = codebookUse(uses);
    codebook = { codebookUse: share, perplexity };
  }

  return {
    get flops() {
      return compiled.program.flops;
    },
    async run(step, images) {
      const { norm, ...terms } = await runStep(step, images);
      const means = Object.fromEntries(Object.entries(terms).map(([name, [value]]) => [name, value]));
      const rate = learningRate(step + 1);
      checkFinite(step + 1, { ...means, gradientNorm: norm[0] }, rate);
      await revive(step, images);
      return { means, latest: { gradientNorm: norm[0], learningRate: rate, ...codebook } };
    },
    dispose() {
      compiled.dispose();
      revival?.dispose();
    },
  };
}

async function compiledRevival({ backend, state, options, config }: RunnerOptions) {
  const { autoencoder } = options;
  if (autoencoder._class_name !== 'VQModel' || config.revival.every === 0) return undefined;
  return compileRevival(backend, state, { ...options, autoencoder });
}
