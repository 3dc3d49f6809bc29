/** @file Options of how images are drawn, as every command that draws has them. */
import { type ImageSamplingOptions, imageSamplingSchema } from '@transfusion/sampler';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { number, numberAbove, wholeNumber } from './options.js';

/** What may be chosen of an image's drawing. */
const { guidance, scheduler, spacing, eta, shift, temperature, topK, topP, minP } = imageSamplingSchema.shape;

export function withImageSampling(command: Command): Command {
  return command
    .option('--steps <n>', "denoising steps of an image (default: the model's)", wholeNumber(1))
    .option(
      '--guidance <w>',
      "how strictly images follow the text; 1: no guidance; below 0: away from it (default: the model's)",
      number(guidance.unwrap().minValue!, guidance.unwrap().maxValue!),
    )
    .option('--negative-prompt <text>', 'what guidance leads away from (default: an image of anything)')
    .option(
      '--guidance-interval <from,to>',
      'guide only there, of 0 (the clean image) to 1 (pure noise), as in 0.2,0.8: less contrast, and faster (default: everywhere)',
      interval,
    )
    .option(
      '--guidance-rescale <phi>',
      'against too much contrast of strong guidance; 0: none, 1: all; often 0.7 (default: 0)',
      number(0, 1),
    )
    .option(
      '--guidance-renorm <least>',
      'likewise: guidance never enlarges the prediction, and shrinks it to this share at most; often 0 (default: it may)',
      number(0, 1),
    )
    .addOption(
      new Option('--scheduler <name>', `${scheduler.description} (default: the model's)`).choices(
        scheduler.unwrap().options,
      ),
    )
    .addOption(new Option('--spacing <name>', spacing.description).choices(spacing.unwrap().options))
    .addOption(new Option('--eta <share>', eta.description).argParser(number(0, 1)))
    .addOption(new Option('--shift <factor>', shift.description).argParser(number()))
    .addOption(new Option('--image-temperature <t>', temperature.description).argParser(number(0)))
    .addOption(new Option('--image-top-k <k>', topK.description).argParser(wholeNumber(1)))
    .addOption(new Option('--image-top-p <p>', topP.description).argParser(numberAbove(0, 1)))
    .addOption(new Option('--image-min-p <p>', minP.description).argParser(number(0, 1)));
}

/** As the command line names them: `continue` has those of text by the plain names. */
export interface GivenImageSampling extends Omit<ImageSamplingOptions, 'temperature' | 'topK' | 'topP' | 'minP'> {
  imageTemperature?: number;
  imageTopK?: number;
  imageTopP?: number;
  imageMinP?: number;
}

export function imageSampling(options: GivenImageSampling): ImageSamplingOptions {
  const { steps, guidance, negativePrompt, guidanceInterval, guidanceRescale, guidanceRenorm } = options;
  const { scheduler, spacing, eta, shift } = options;
  const { imageTemperature: temperature, imageTopK: topK, imageTopP: topP, imageMinP: minP } = options;
  const guided = { guidance, negativePrompt, guidanceInterval, guidanceRescale, guidanceRenorm };
  return { steps, ...guided, scheduler, spacing, eta, shift, temperature, topK, topP, minP };
}

/** Parses two numbers of [0, 1] with a comma between. */
function interval(text: string): [number, number] {
  const parts = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const [from, to] = parts;
  if (parts.length === 2 && from >= 0 && from < to && to <= 1) return [from, to];
  throw new InvalidArgumentError('give two numbers from 0 to 1, the smaller first, as in 0.2,0.8');
}
