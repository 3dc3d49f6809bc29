/** @file The command line: what `trainer` can do, in the words of --help. */
import {
  adapterPath,
  backendChoice,
  GIVEN_MODEL,
  HUB_MODEL,
  imageSampling,
  number,
  repeatable,
  rootCommand,
  runCommand,
  type Terminal,
  wholeNumber,
  withBackend,
  withImageSampling,
} from '@transfusion/app-common';
import { schedulerNames } from '@transfusion/sampler';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { cardCommand } from './commands/card-command.js';
import { demoCommand } from './commands/demo-command.js';
import { encodeCommand } from './commands/encode-command.js';
import { evaluateCommand } from './commands/evaluate-command.js';
import { exportCommand } from './commands/export-command.js';
import { exportTask } from './commands/export-task.js';
import { HUB_DTYPES, hubExportCommand } from './commands/hub-export-command.js';
import { mergeCommand } from './commands/merge-command.js';
import { reconstructCommand } from './commands/reconstruct-command.js';
import { studyCommand } from './commands/study-command.js';
import { trainCommand } from './commands/train-command.js';
import { DEFAULT_ENCODERS } from './evaluate/judge.js';
import { PART_NAMES } from './evaluate/part.js';
import { DEFAULT_GRID } from './evaluate/sweep-part.js';
import { hints } from './hints.js';
import { autoencoderKind } from './kinds/autoencoder.js';
import { evaluatorKind } from './kinds/evaluator.js';
import { transfusionKind } from './kinds/transfusion.js';
import { presets } from './presets/index.js';

/** Runs the command line and returns the exit code: 0 done (or saved when told to stop), 1 failed while running, 2 bad input. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  return runCommand(program(terminal), argv, terminal, hints);
}

function program(terminal: Terminal): Command {
  const root = rootCommand('trainer', terminal).description(
    'Trains Transfusion models: one transformer that predicts text and diffuses images.',
  );
  const presetNames = Object.keys(presets).join(', ');
  runOptions(root.command('train').description('train a model, or go on with a run'), transfusionKind)
    .option(
      '--finetune <folder>',
      `start from the weights, tokenizer, codec and sizes of this model: a folder, or ${HUB_MODEL}`,
    )
    .option(
      '--profile',
      'take the times of a dozen steps by kind of kernel, write Chrome traces, and save nothing else',
    )
    .addHelpText('after', TRAIN_EXAMPLES)
    .action(async (options) => {
      const { config: file, ...others } = options;
      await trainCommand(transfusionKind, { ...others, file, backend: backendChoice(options) }, terminal);
    });
  runOptions(root.command('vae').description('train an autoencoder, KL or VQ, or go on with a run'), autoencoderKind)
    .addHelpText('after', VAE_EXAMPLES)
    .action(async (options) => {
      const { config: file, ...others } = options;
      await trainCommand(autoencoderKind, { ...others, file, backend: backendChoice(options) }, terminal);
    });
  runOptions(
    root
      .command('evaluator')
      .description('train a network that judges pictures: by their captions, or by classes; or go on with a run'),
    evaluatorKind,
  )
    .addHelpText('after', EVALUATOR_EXAMPLES)
    .action(async (options) => {
      const { config: file, ...others } = options;
      await trainCommand(evaluatorKind, { ...others, file, backend: backendChoice(options) }, terminal);
    });
  withBackend(
    root
      .command('encode')
      .description("keep the latents of a configuration's pictures in a folder, for `train` to read"),
  )
    .option('--preset <name>', `a named configuration of \`train\`: ${presetNames}`)
    .option('--config <file>', 'a JSON file with a configuration of `train`; it overrides the preset')
    .addOption(
      repeatable('--set <key=value>', 'one field, may be repeated: --set codec=emoji-64-kl', collect).default([]),
    )
    .requiredOption('--out <folder>', 'where the latents go; an interrupted run goes on there')
    .option('--runs <folder>', 'where runs are kept; decoded pictures are kept beside it', 'runs')
    .addHelpText('after', ENCODE_EXAMPLES)
    .action(async (options) => {
      const { config: file, ...others } = options;
      await encodeCommand({ ...others, file, backend: backendChoice(options) }, terminal);
    });
  withBackend(
    root
      .command('reconstruct')
      .description('how well an autoencoder gives back held-out pictures: PSNR, SSIM, a picture'),
  )
    .requiredOption('--model <name>', "an autoencoder's folder, or a model of this repository, such as emoji-64-kl")
    .option('--out <file>', 'a PNG file of originals and reconstructions')
    .option('--images <n>', 'pictures in it', wholeNumber(1, 1024), 32)
    .addOption(
      repeatable(
        '--set <key=value>',
        'other pictures than those held out in training: --set data.dataset=emoji',
        collect,
      ).default([]),
    )
    .option('--runs <folder>', 'where runs are kept; decoded pictures are kept beside it', 'runs')
    .action(async (options) => reconstructCommand({ ...options, backend: backendChoice(options) }, terminal));
  const evaluate = root
    .command('evaluate')
    .description(
      'how good a trained model is, on what it has never seen: texts, captions, drawings, edits; a table, a page and evaluation.json',
    )
    .requiredOption('--run <folder>', 'a run of `train`, finished or still training: its checkpoint is taken')
    .option(
      '--encoder <folder>',
      `a network of \`evaluator\` that judges pictures: a folder, or a model of this repository (default: of emoji and Fashion-MNIST ${Object.values(DEFAULT_ENCODERS).join(', ')}, where they are there)`,
    )
    .option('--features <file>', 'an ONNX network whose features pictures are compared by, in place of the encoder')
    .addOption(
      new Option('--features-preset <name>', 'how it takes pictures (default: inception)').choices([
        'inception',
        'clip',
        'imagenet',
      ]),
    )
    .option('--count <n>', 'pictures of each set, evenly spread over it', wholeNumber(2), 256)
    .option('--only <parts>', `some of ${PART_NAMES.join(',')} (default: all)`, parts)
    .option('--prompts <file>', 'draw these too: a text file with a prompt on each line')
    .option('--sweep-count <n>', 'captions that each setting of the sweep draws', wholeNumber(2), 64)
    .option('--sweep-guidance <list>', 'such as 1,2,4', listOf(number()), DEFAULT_GRID.guidance)
    .option('--sweep-steps <list>', 'such as 10,50', listOf(wholeNumber(1)), DEFAULT_GRID.steps)
    .option(
      '--sweep-schedulers <list>',
      `some of ${schedulerNames.join(',')} (default: the model's, and others of its schedule)`,
      schedulers,
    )
    .option('--seed <n>', 'the same seed draws the same', wholeNumber(0), 0)
    .addOption(
      repeatable('--set <key=value>', 'where its data are now: --set data.folder=pictures', collect).default([]),
    )
    .option('--out <folder>', "for the page, the scores and pictures (default: evaluation in the run's folder)");
  withBackend(withImageSampling(evaluate))
    .addHelpText('after', EVALUATE_EXAMPLES)
    .action(async (options) => {
      const { sweepGuidance: guidance, sweepSteps: steps, sweepSchedulers: schedulers } = options;
      const choices = { image: imageSampling(options), grid: { guidance, steps, schedulers } };
      await evaluateCommand({ ...options, ...choices, backend: backendChoice(options) }, terminal);
    });
  const exporting = root
    .command('export')
    .description("a run's model without what only training needs: for use here, or as the Hugging Face hub has models")
    .option('--run <folder>', 'of `train`, `vae` or `evaluator`')
    .option('--out <folder>', 'a new folder, for use here: configuration, tokenizer and weights')
    .option('--f32', 'with --out: keep 32 bits for every weight (default: f16)')
    .option('--hub <folder>', 'a new folder that can be uploaded: with a model card and what other libraries look for')
    .option('--model <folder>', `with --hub, in place of --run: ${GIVEN_MODEL}`)
    .addOption(
      new Option('--dtype <type>', 'with --hub: how weights are stored')
        .choices(Object.keys(HUB_DTYPES))
        .default('f16'),
    )
    .option('--overwrite', 'with --hub: replace what an earlier export left there');
  withCard(exporting.option('--license <id>', 'with --hub: of the weights, as SPDX has it'))
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (options) => {
      const task = exportTask(options);
      await (task.to === 'hub' ? hubExportCommand(task.options, terminal) : exportCommand(task.options, terminal));
    });
  const card = root
    .command('card')
    .description("a model card, with Hugging Face's metadata: what the model is, its data, training, scores and limits")
    .requiredOption('--model <folder>', "a run's model, an exported one, or the name of a package that has one")
    .requiredOption('--out <file>', 'such as README.md')
    .option('--license <id>', 'of the weights, as SPDX has it; what they learned from keeps its licences', 'MIT');
  withCard(card).action(async (options) => cardCommand(options, terminal));
  root
    .command('merge')
    .description('a model with LoRAs as a plain model folder: W + scale B A')
    .requiredOption('--model <folder>', 'the model, or a LoRA whose model is where it says')
    .addOption(
      repeatable(
        '--lora <folder[:scale]>',
        'a LoRA of it, times this factor (default: 1); may be repeated',
        adapterPath,
      ),
    )
    .requiredOption('--out <folder>', 'a new folder')
    .action(async (options) => mergeCommand(options, terminal));
  withBackend(
    root
      .command('demo')
      .description(
        'train the demo, score it, and write its report into its run, runs/demo; one of before is kept beside it',
      ),
  )
    .option('--preset <name>', 'demo, or chameleon: the same pictures as tokens, in runs/chameleon', 'demo')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .addOption(repeatable('--set <key=value>', 'change one field of the demo configuration', collect).default([]))
    .addOption(
      new Option('--setup-seconds <seconds>', 'what set-up took before, for the report')
        .env('TRANSFUSION_SETUP_SECONDS')
        .default(0)
        .argParser(number(0)),
    )
    .option('--max-train-seconds <seconds>', 'train fewer steps on a slow machine, to take no longer', number(1), 450)
    .action(async (options) => demoCommand({ ...options, backend: backendChoice(options) }, terminal));
  withBackend(
    root
      .command('study')
      .description('train variants of a configuration alike, and write a table of them with pictures'),
  )
    .argument('<file>', 'a JSON file such as studies/demo-variants.json')
    .requiredOption('--out <folder>', 'for the runs, the table and the pictures; an interrupted study goes on there')
    .action(async (study, options) => studyCommand({ ...options, study, backend: backendChoice(options) }, terminal));
  root
    .command('schema')
    .description('print the JSON schema of a configuration: every field, its default and meaning')
    .addArgument(new Argument('[command]', 'whose configuration').choices(Object.keys(SCHEMAS)).default('train'))
    .action((command: keyof typeof SCHEMAS) => {
      const schema = SCHEMAS[command];
      terminal.out(JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), null, 2));
    });
  return root;
}

/** By command. */
const SCHEMAS = { train: transfusionKind.schema, vae: autoencoderKind.schema, evaluator: evaluatorKind.schema };

/** What a run of any kind is started with. */
function runOptions(command: Command, { presets }: { presets: Readonly<Record<string, unknown>> }): Command {
  const schema = command.name() === 'train' ? 'trainer schema' : `trainer schema ${command.name()}`;
  return withBackend(command)
    .option('--preset <name>', `a named configuration: ${Object.keys(presets).join(', ')}`)
    .option('--config <file>', `a JSON file with a configuration (see \`${schema}\`); it overrides the preset`)
    .addOption(
      repeatable('--set <key=value>', 'one field, may be repeated: --set data.imageSize=32', collect).default([]),
    )
    .option('--resume <folder>', 'go on with the run in this folder, exactly where its checkpoint is')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--overwrite', 'start over where a run of that name exists')
    .option('--dry-run', 'print the resolved configuration, parameters, work and memory, and do nothing');
}

/** What a model card says beside what the model says. */
function withCard(command: Command): Command {
  return command
    .option(
      '--name <name>',
      "of the model, on its card; OWNER/NAME of the hub, or that of a package (default: the run's)",
    )
    .option('--evaluation <file>', 'scores, as in evaluation.json')
    .option('--picture <file>', 'to show on the card')
    .addOption(
      repeatable(
        '--note <text>',
        'on the training: machine, backend, how often it was resumed; may be repeated',
        collect,
      ).default([]),
    )
    .addOption(
      repeatable('--source <text>', 'of data, with its licence, beside those known; may be repeated', collect).default(
        [],
      ),
    )
    .addOption(repeatable('--limit <text>', 'of the model; may be repeated', collect).default([]));
}

const EXPORT_EXAMPLES = `
Examples:
  trainer export --run runs/emoji --out emoji                          for use here, in half the bytes
  trainer export --hub emoji --run runs/emoji --name OWNER/emoji --license MIT --picture drawn.png
  trainer export --hub emoji --model runs/emoji/model --license MIT --dtype bf16 --overwrite
  hf upload OWNER/emoji emoji .                                        Hugging Face's own program; then --model hf://OWNER/emoji`;

const TRAIN_EXAMPLES = `
Examples:
  trainer train --preset tiny                      seconds; shows that everything works
  trainer train --preset emoji --dry-run           what training on all emoji would take
  trainer train --preset emoji --set seed=1        train; Ctrl-C saves and leaves
  trainer train --resume runs/emoji                go on
  trainer train --preset emoji-64                  draws, captions and edits; then trainer evaluate --run runs/emoji-64
  trainer train --preset emoji --profile           where the time of a step goes
  trainer train --finetune runs/emoji/model --set name=mine --set data.dataset=folder --set data.folder=pictures
  trainer train --finetune hf://owner/name --set name=mine --set data.dataset=folder --set data.folder=pictures
  trainer train --finetune runs/emoji/model --set name=style --set lora.rank=8   adapters alone: runs/style/model is a LoRA`;

const ENCODE_EXAMPLES = `
Example:
  trainer encode --preset emoji-latent --out latents/emoji
  trainer train --preset emoji-latent --set data.latents=latents/emoji`;

const VAE_EXAMPLES = `
Examples:
  trainer vae --preset tiny                                  seconds; shows that everything works
  trainer vae --preset emoji-64-kl                           the autoencoder of models/emoji-64-kl; hours on two cores
  trainer vae --resume runs/emoji-64-kl                      go on
  trainer vae --preset emoji-64-kl --set data.dataset=folder --set data.folder=pictures --set name=mine`;

const EVALUATOR_EXAMPLES = `
Examples:
  trainer evaluator --preset tiny                            seconds; shows that everything works
  trainer evaluator --preset emoji-64-encoder                pictures and captions in one space; half an hour on two cores
  trainer evaluator --preset fashion-mnist-classifier --set data.folder=fashion-mnist
  trainer export --run runs/emoji-64-encoder --out emoji-64-encoder`;

const EVALUATE_EXAMPLES = `
Parts, each written as it is done, in this order:
  text        perplexity and bits per byte of held-out texts, and of captions with and without their picture
  captions    what is written of held-out pictures: exactly right, the right name, CIDEr
  drawings    is a drawing of a held-out caption nearest to its own picture; distances of drawings and real pictures
  edits       are held-out emoji drawn in the style asked for
  sweep       the same captions with each guidance, number of steps and sampler
  timesteps   losses along the noise
  attention   where the model looks
What does not apply to a run's data is left out, and said so. Parts that were made before of the same weights and options
are kept, so the same command goes on where it was stopped; --only makes some of them, also again.

Examples:
  trainer evaluate --run runs/emoji-64                          all of it; then open runs/emoji-64/evaluation/report.html
  trainer evaluate --run runs/emoji-64 --count 32 --only drawings,captions     a first look, also while it trains
  trainer evaluate --run runs/emoji-64 --only sweep --sweep-guidance 1,2,4 --sweep-steps 25 --sweep-schedulers heun
  trainer evaluate --run runs/mine --encoder runs/my-encoder/model
  trainer card --model runs/emoji-64/model --evaluation runs/emoji-64/evaluation/evaluation.json --out README.md`;

/** Parses a list with commas. */
function listOf<One>(parse: (text: string) => One) {
  return (text: string): One[] => text.split(',').map((each) => parse(each.trim()));
}

const parts = listOf((text) => oneOf(PART_NAMES, text));
const schedulers = listOf((text) => oneOf(schedulerNames, text));

function oneOf<Name extends string>(names: readonly Name[], text: string): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`${JSON.stringify(text)} is none of ${names.join(', ')}`);
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
