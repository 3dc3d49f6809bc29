/** @file Options that several commands share. */
import { adapterPath, GIVEN_MODEL, repeatable, wholeNumber } from '@transfusion/app-common';
import { parseImageSize } from '@transfusion/data';
import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_MODEL } from './model-path.js';

export function withModel(command: Command): Command {
  return command
    .option('--model <folder>', `${GIVEN_MODEL} (default: ${DEFAULT_MODEL})`)
    .addOption(
      repeatable(
        '--lora <folder[:scale]>',
        'a LoRA of the model, times this factor (default: 1): a folder, or hf://owner/name; may be repeated, they add up',
        adapterPath,
      ),
    );
}

export function withSeed(command: Command): Command {
  return command.option('--seed <n>', 'the same seed gives the same result', wholeNumber(0), 0);
}

export function withSize(command: Command): Command {
  return command.option(
    '--size <width>x<height>',
    'of the images, in pixels, as info tells (default: the one that the model chooses, or its own)',
    (text) => {
      const size = parseImageSize(text);
      if (size) return size;
      throw new InvalidArgumentError('give width and height in pixels, such as 64x32');
    },
  );
}
