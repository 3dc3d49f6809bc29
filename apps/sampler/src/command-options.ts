/** @file Options that several commands share. */
import type { BackendChoice } from '@transfusion/app-common';
import type { ImageSamplingOptions } from '@transfusion/sampler';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_MODEL } from './open-sampler.js';

/** Parses a whole number in [least, most]. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        most === Number.MAX_SAFE_INTEGER
          ? `give a whole number from ${least}`
          : `give a whole number from ${least} to ${most}`,
      );
    }
    return value;
  };
}

/** Parses a number in [least, most]. */
export function number(least: number, most = Number.POSITIVE_INFINITY) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        most === Number.POSITIVE_INFINITY ? `give a number from ${least}` : `give a number from ${least} to ${most}`,
      );
    }
    return value;
  };
}

export function withModel(command: Command): Command {
  return command.option('--model <folder>', `a trained model (default: ${DEFAULT_MODEL}, if it is there)`);
}

export function withSeed(command: Command): Command {
  return command.option('--seed <n>', 'the same seed gives the same result', wholeNumber(0), 0);
}

export function withImageSampling(command: Command): Command {
  return command
    .option('--steps <n>', "denoising steps of an image (default: the model's)", wholeNumber(1))
    .option('--guidance <w>', "how strictly images follow the text; 1: no guidance (default: the model's)", number(0))
    .addOption(
      new Option('--scheduler <name>', "step rule; euler is for flow models (default: the model's)").choices([
        'ddim',
        'ddpm',
        'euler',
      ]),
    )
    .option('--eta <share>', 'ddim: share of fresh noise in every step', number(0, 1));
}

export function withBackend(command: Command): Command {
  return command
    .addOption(
      new Option('--backend <name>', 'auto: a GPU if there is one, else the CPU')
        .choices(['auto', 'wasm', 'webgpu'])
        .default('auto'),
    )
    .option('--require-gpu', 'refuse to run on a software adapter or the CPU')
    .option('--threads <n>', 'CPU threads (default: all cores)', wholeNumber(1, 256));
}

export function imageSampling({ steps, guidance, scheduler, eta }: ImageSamplingOptions): ImageSamplingOptions {
  return { steps, guidance, scheduler, eta };
}

export function backendChoice({ backend, requireGpu, threads }: BackendChoice): BackendChoice {
  return { backend, requireGpu, threads };
}
