/** @file Options that several commands share. */
import { number, wholeNumber } from '@transfusion/app-common';
import type { ImageSamplingOptions } from '@transfusion/sampler';
import { type Command, Option } from 'commander';
import { DEFAULT_MODEL } from './open-sampler.js';

export function withModel(command: Command): Command {
  return command.option('--model <folder>', `a trained model (default: ${DEFAULT_MODEL}, if it is there)`);
}

export function withSeed(command: Command): Command {
  return command.option('--seed <n>', 'the same seed gives the same result', wholeNumber(0), 0);
}

export function withImageSampling(command: Command): Command {
  return command
    .option('--steps <n>', "denoising steps of an image (default: the model's)", wholeNumber(1))
    .option(
      '--guidance <w>',
      "how strictly images follow the text; 1: no guidance; below 0: away from it (default: the model's)",
      number(),
    )
    .addOption(
      new Option('--scheduler <name>', "step rule; euler is for flow models (default: the model's)").choices([
        'ddim',
        'ddpm',
        'euler',
      ]),
    )
    .option('--eta <share>', 'ddim: share of fresh noise in every step', number(0, 1));
}

export function imageSampling({ steps, guidance, scheduler, eta }: ImageSamplingOptions): ImageSamplingOptions {
  return { steps, guidance, scheduler, eta };
}
