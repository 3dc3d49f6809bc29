/** @file The command line: what `sampler` can do, in the words of --help. */
import {
  backendChoice,
  type CommandLineHints,
  imageSampling,
  inFlags,
  number,
  numberAbove,
  quoted,
  repeatable,
  rootCommand,
  runCommand,
  type Terminal,
  wholeNumber,
  withBackend,
  withImageSampling,
} from '@transfusion/app-common';
import type { Command } from 'commander';
import { withModel, withSeed, withSize } from './command-options.js';
import { captionCommand } from './commands/caption-command.js';
import { continueCommand, type GivenPart } from './commands/continue-command.js';
import { editCommand } from './commands/edit-command.js';
import { generateCommand } from './commands/generate-command.js';
import { infoCommand } from './commands/info-command.js';
import { addServe } from './commands/serve-options.js';

/** Runs the command line and returns the exit code: 0 done, 1 failed while running, 2 bad input, 130 cancelled. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  return runCommand(program(terminal), argv, terminal, HINTS);
}

function program(terminal: Terminal): Command {
  const root = rootCommand('sampler', terminal)
    .description('Draws images from text and writes text about images with a trained Transfusion model.')
    .addHelpText('after', EXAMPLES);
  addGenerate(root, terminal);
  addEdit(root, terminal);
  addCaption(root, terminal);
  addContinue(root, terminal);
  addServe(root, terminal);
  withBackend(
    withModel(root.command('info').description('what a model folder holds, and what it would run on')),
  ).action((options) =>
    infoCommand({ model: options.model, lora: options.lora, backend: backendChoice(options) }, terminal),
  );
  return root;
}

function addGenerate(root: Command, terminal: Terminal): void {
  const command = root
    .command('generate')
    .description('draw images from a caption, from another image, or one again that was drawn before')
    .option('--prompt <text>', 'what to draw; an empty text draws anything')
    .option(
      '--out <file.png>',
      'with --n above 1 all images in one grid, and each beside it: file-1.png, ... (default: named after the prompt, or FILE-again.png of --like)',
    )
    .option('--n <count>', 'how many images', wholeNumber(1, 1024), 1)
    .option('--scale <factor>', 'enlarge every pixel to a square of so many', wholeNumber(1, 64), 1)
    .option(
      '--from <file>',
      'make it from this picture, cropped to a size of the model: PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG',
    )
    .option(
      '--strength <share>',
      'with --from: how much changes, 1 all of it (default: 0.6; with --mask 1)',
      numberAbove(0, 1),
    )
    .option('--mask <file>', 'with --from: repaint where this is bright or transparent, keep every other pixel')
    .option('--like <file.png>', 'as that file says it was drawn; other options change single settings of it');
  withBackend(withImageSampling(withSize(withSeed(withModel(command)))))
    .addHelpText('after', GENERATE_EXAMPLES)
    .action((options) => {
      const { model, lora, like, prompt, out, from, mask, strength, size } = options;
      // What is not given comes from the file: defaults do not count.
      const given = (name: string) => (command.getOptionValueSource(name) === 'cli' ? options[name] : undefined);
      const numbers = { n: given('n'), seed: given('seed'), scale: given('scale') };
      const choices = { image: { ...imageSampling(options), strength }, backend: backendChoice(options) };
      const all = { model, lora, like, prompt, out, from, mask, size, ...numbers, ...choices };
      return inFlags(generateCommand(all, terminal));
    });
}

function addEdit(root: Command, terminal: Terminal): void {
  const command = root
    .command('edit')
    .description('draw an image anew, as an instruction says')
    .requiredOption('--image <file>', 'PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG; cropped to a size of the model')
    .requiredOption('--prompt <text>', 'what to do with it, in words that the model was trained on')
    .requiredOption('--out <file.png>', 'the result')
    .option('--scale <factor>', 'enlarge every pixel to a square of so many', wholeNumber(1, 64), 1);
  withBackend(withImageSampling(withSeed(withModel(command)))).action((options) => {
    const { model, lora, image: imagePath, prompt, out, seed, scale } = options;
    const choices = { image: imageSampling(options), backend: backendChoice(options) };
    return inFlags(editCommand({ model, lora, imagePath, prompt, out, seed, scale, ...choices }, terminal));
  });
}

function addCaption(root: Command, terminal: Terminal): void {
  const command = root
    .command('caption')
    .description('write captions of images, one line each, to stdout')
    .requiredOption(
      '--image <file...>',
      'PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG; cropped to the size of the model that is nearest in aspect',
    )
    .option('--max-tokens <n>', 'longest caption', wholeNumber(1), 64)
    .option(
      '--beams <n>',
      'beginnings that the search for the most likely caption goes on with (1: the most likely token each time)',
      wholeNumber(1, 64),
      16,
    )
    .option(
      '--draws <n>',
      'how often the image is noised and denoised after each caption that was found, to take the one that explains it best (0: the likeliest text; default: 16 where the model diffuses images)',
      wholeNumber(0, 1024),
    );
  withBackend(withModel(command)).action((options) => {
    const { model, lora, image, maxTokens, beams, draws } = options;
    return captionCommand({ model, lora, image, maxTokens, beams, draws, backend: backendChoice(options) }, terminal);
  });
}

function addContinue(root: Command, terminal: Terminal): void {
  // Texts and images are given in any order, and stay in it.
  const parts: GivenPart[] = [];
  const command = root
    .command('continue')
    .description('go on with a document of texts and images; writes 001.txt, 002.png, ...')
    .addOption(
      repeatable('--text <text>', 'part of the document; may be repeated', (text) => void parts.push({ text })),
    )
    .addOption(
      repeatable('--image <file>', 'part of the document; may be repeated', (path) => {
        parts.push({ imagePath: path });
      }),
    )
    .requiredOption('--out <folder>', 'a new or empty folder')
    .option('--draw', 'begin with an image')
    .option('--max-tokens <n>', 'most text tokens to write', wholeNumber(0), 256)
    .option('--max-images <n>', 'most images to draw', wholeNumber(0), 4)
    .option('--temperature <t>', '0: the most likely token; 1: as the model predicts', number(0), 0)
    .option('--top-k <k>', 'among the k most likely tokens', wholeNumber(1))
    .option('--top-p <p>', 'among the fewest tokens that reach this probability', numberAbove(0, 1))
    .option('--min-p <p>', 'among tokens at least p times as likely as the first', number(0, 1));
  withBackend(withImageSampling(withSize(withSeed(withModel(command))))).action((options) => {
    const { model, lora, out, seed, size, maxTokens, maxImages, draw = false, temperature, topK, topP, minP } = options;
    const text = { temperature, topK, topP, minP };
    const choices = { image: imageSampling(options), backend: backendChoice(options) };
    const given = { model, lora, parts, out, seed, size, maxTokens, maxImages, draw, text };
    return inFlags(continueCommand({ ...given, ...choices }, terminal));
  });
}

/** What other commands call it, and what a word alone most likely is. */
const HINTS: CommandLineHints = {
  option: (command, flag) => OTHER_NAMES[command]?.[flag],
  word: (command, word) => MAIN_OPTION[command] && `${MAIN_OPTION[command]} ${quoted(word)}`,
};

const OTHER_NAMES: Record<string, Record<string, string>> = {
  generate: { '--image': '--from', '--text': '--prompt', '--count': '--n' },
  edit: { '--from': '--image', '--text': '--prompt' },
  caption: { '--from': '--image', '--input': '--image' },
  serve: { '--listen': '--host', '--key': '--api-key-file', '--api-key': '--api-key-file' },
  continue: { '--from': '--image', '--prompt': '--text' },
};

const MAIN_OPTION: Record<string, string> = {
  generate: '--prompt',
  edit: '--image',
  caption: '--image',
  continue: '--text',
  info: '--model',
  serve: '--model',
};

const GENERATE_EXAMPLES = `
Examples:
  sampler generate --prompt "frog" --negative-prompt "toad" --guidance 5 --guidance-rescale 0.7 --out frog.png
  sampler generate --prompt "blue heart" --from heart.png --strength 0.7 --out blue.png
  sampler generate --prompt "a hat" --from frog.png --mask above.png --out hat.png
  sampler generate --like frog.png                        the same picture, as frog-again.png
  sampler generate --like frog.png --steps 100 --out fine.png

Every PNG file says how it was drawn: prompt, seed, options, and hashes of the model and of --from and --mask.`;

const EXAMPLES = `
Examples:
  sampler generate --prompt "red heart, 3d style"         red-heart-3d-style.png, by the model that is shipped
  sampler generate --prompt "frog" --out frogs.png --n 9 --guidance 4 --seed 1
  sampler generate --like frogs-3.png --out again.png
  sampler generate --prompt "a wide landscape" --size 64x32 --out wide.png
  sampler edit --model runs/emoji-64/model --image heart.png --prompt "draw it in openmoji style" --out other.png
  sampler caption --image heart.png --image frog.jpg
  sampler continue --text "a red" --out story --temperature 0.8
  sampler continue --image heart.png --text "and now" --draw --out another
  sampler generate --prompt "frog" --out frog.png --lora runs/style/model:0.8
  sampler generate --prompt "frog" --model hf://owner/name@v1    of the Hugging Face hub, fetched once
  sampler info --model runs/demo/model
  sampler serve --model emoji=runs/emoji/model             the API of OpenAI's clients, on this machine`;
