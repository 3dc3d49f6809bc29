/** @file The command line: what `sampler` can do, in the words of --help. */
import {
  backendChoice,
  number,
  rootCommand,
  runCommand,
  type Terminal,
  wholeNumber,
  withBackend,
} from '@transfusion/app-common';
import type { Command } from 'commander';
import { imageSampling, withImageSampling, withModel, withSeed } from './command-options.js';
import { captionCommand } from './commands/caption-command.js';
import { continueCommand, type GivenPart } from './commands/continue-command.js';
import { generateCommand } from './commands/generate-command.js';
import { infoCommand } from './commands/info-command.js';

/** Runs the command line and returns the exit code: 0 done, 1 failed while running, 2 bad input, 130 cancelled. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  return runCommand(program(terminal), argv, terminal);
}

function program(terminal: Terminal): Command {
  const root = rootCommand('sampler', terminal)
    .description('Draws images from text and writes text about images with a trained Transfusion model.')
    .addHelpText('after', EXAMPLES);
  addGenerate(root, terminal);
  addCaption(root, terminal);
  addContinue(root, terminal);
  withBackend(
    withModel(root.command('info').description('what a model folder holds, and what it would run on')),
  ).action((options) => infoCommand({ model: options.model, backend: backendChoice(options) }, terminal));
  return root;
}

function addGenerate(root: Command, terminal: Terminal): void {
  const command = root
    .command('generate')
    .description('draw images from a caption')
    .requiredOption('--prompt <text>', 'what to draw; an empty text draws anything')
    .requiredOption('--out <file.png>', 'with --n above 1 all images in one grid, and each beside it: file-1.png, ...')
    .option('--n <count>', 'how many images', wholeNumber(1, 1024), 1)
    .option('--scale <factor>', 'enlarge every pixel to a square of so many', wholeNumber(1, 64), 1);
  withBackend(withImageSampling(withSeed(withModel(command)))).action((options) => {
    const { model, prompt, out, n, seed, scale } = options;
    const choices = { image: imageSampling(options), backend: backendChoice(options) };
    return generateCommand({ model, prompt, out, n, seed, scale, ...choices }, terminal);
  });
}

function addCaption(root: Command, terminal: Terminal): void {
  const command = root
    .command('caption')
    .description('write captions of images, one line each, to stdout')
    .requiredOption('--image <file...>', 'PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG; cropped to a square')
    .option('--max-tokens <n>', 'longest caption', wholeNumber(1), 64);
  withBackend(withModel(command)).action((options) => {
    const { model, image, maxTokens } = options;
    return captionCommand({ model, image, maxTokens, backend: backendChoice(options) }, terminal);
  });
}

function addContinue(root: Command, terminal: Terminal): void {
  // Texts and images are given in any order, and stay in it.
  const parts: GivenPart[] = [];
  const command = root
    .command('continue')
    .description('go on with a document of texts and images; writes 001.txt, 002.png, ...')
    .option('--text <text>', 'part of the document; may be repeated', (text) => void parts.push({ text }))
    .option('--image <file>', 'part of the document; may be repeated', (path) => void parts.push({ imagePath: path }))
    .requiredOption('--out <folder>', 'a new or empty folder')
    .option('--draw', 'begin with an image')
    .option('--max-tokens <n>', 'most text tokens to write', wholeNumber(0), 256)
    .option('--max-images <n>', 'most images to draw', wholeNumber(0), 4)
    .option('--temperature <t>', '0: the most likely token; 1: as the model predicts', number(0), 0)
    .option('--top-k <k>', 'among the k most likely tokens', wholeNumber(1))
    .option('--top-p <p>', 'among the fewest tokens that reach this probability', number(0.000_001, 1))
    .option('--min-p <p>', 'among tokens at least p times as likely as the first', number(0, 1));
  withBackend(withImageSampling(withSeed(withModel(command)))).action((options) => {
    const { model, out, seed, maxTokens, maxImages, draw = false, temperature, topK, topP, minP } = options;
    const text = { temperature, topK, topP, minP };
    const choices = { image: imageSampling(options), backend: backendChoice(options) };
    return continueCommand({ model, parts, out, seed, maxTokens, maxImages, draw, text, ...choices }, terminal);
  });
}

const EXAMPLES = `
Examples:
  sampler generate --prompt "red heart" --out heart.png
  sampler generate --prompt "frog" --out frogs.png --n 9 --guidance 4 --seed 1
  sampler caption --image heart.png --image frog.jpg
  sampler continue --text "a red" --out story --temperature 0.8
  sampler continue --image heart.png --text "and now" --draw --out another
  sampler info --model runs/demo/model`;
