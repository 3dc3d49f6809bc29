/** @file Options that several commands share. */
import { number, wholeNumber } from '@transfusion/app-common';
import { type ImageSamplingOptions, imageSamplingSchema } from '@transfusion/sampler';
import { type Command, Option } from 'commander';
import { DEFAULT_MODEL } from './open-sampler.js';

export function withModel(command: Command): Command {
  return command.option('--model <folder>', `a trained model (default: ${DEFAULT_MODEL}, if it is there)`);
}

export function withSeed(command: Command): Command {
  return command.option('--seed <n>', 'the same seed gives the same result', wholeNumber(0), 0);
}

/** What may be chosen of an image's drawing. */
const { scheduler, spacing, eta, shift } = imageSamplingSchema.shape;

export function withImageSampling(command: Command): Command {
  return command
    .option('--steps <n>', "denoising steps of an image (default: the model's)", wholeNumber(1))
    .option(
      '--guidance <w>',
      "how strictly images follow the text; 1: no guidance; below 0: away from it (default: the model's)",
      number(),
    )
    .addOption(
      new Option('--scheduler <name>', `${scheduler.description} (default: the model's)`).choices(
        scheduler.unwrap().options,
      ),
    )
    .addOption(new Option('--spacing <name>', spacing.description).choices(spacing.unwrap().options))
    .addOption(new Option('--eta <share>', eta.description).argParser(number(0, 1)))
    .addOption(new Option('--shift <factor>', shift.description).argParser(number()));
}

export function imageSampling(options: ImageSamplingOptions): ImageSamplingOptions {
  const { steps, guidance, scheduler, spacing, eta, shift } = options;
  return { steps, guidance, scheduler, spacing, eta, shift };
}
