/** @file The command line: what `trainer` can do, in the words of --help. */
import {
  adapterPath,
  backendChoice,
  number,
  rootCommand,
  runCommand,
  type Terminal,
  wholeNumber,
  withBackend,
} from '@transfusion/app-common';
import { Argument, type Command, Option } from 'commander';
import { z } from 'zod';
import { demoCommand } from './commands/demo-command.js';
import { encodeCommand } from './commands/encode-command.js';
import { evaluateEditsCommand } from './commands/evaluate-edits-command.js';
import { exportCommand } from './commands/export-command.js';
import { mergeCommand } from './commands/merge-command.js';
import { reconstructCommand } from './commands/reconstruct-command.js';
import { studyCommand } from './commands/study-command.js';
import { trainCommand } from './commands/train-command.js';
import { autoencoderKind } from './kinds/autoencoder.js';
import { transfusionKind } from './kinds/transfusion.js';
import { presets } from './presets/index.js';

/** Runs the command line and returns the exit code: 0 done (or saved when told to stop), 1 failed while running, 2 bad input. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  return runCommand(program(terminal), argv, terminal);
}

function program(terminal: Terminal): Command {
  const root = rootCommand('trainer', terminal).description(
    'Trains Transfusion models: one transformer that predicts text and diffuses images.',
  );
  const presetNames = Object.keys(presets).join(', ');
  runOptions(root.command('train').description('train a model, or go on with a run'), transfusionKind)
    .option('--finetune <folder>', 'start from the weights, tokenizer, codec and sizes of this model folder')
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
  withBackend(
    root
      .command('encode')
      .description("keep the latents of a configuration's pictures in a folder, for `train` to read"),
  )
    .option('--preset <name>', `a named configuration of \`train\`: ${presetNames}`)
    .option('--config <file>', 'a JSON file with a configuration of `train`; it overrides the preset')
    .option('--set <key=value>', 'one field, may be repeated: --set codec=emoji-64-kl', collect, [])
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
    .option(
      '--set <key=value>',
      'other pictures than those held out in training: --set data.dataset=emoji',
      collect,
      [],
    )
    .option('--runs <folder>', 'where runs are kept; decoded pictures are kept beside it', 'runs')
    .action(async (options) => reconstructCommand({ ...options, backend: backendChoice(options) }, terminal));
  withBackend(
    root
      .command('evaluate-edits')
      .description(
        'how many held-out emoji a model of edits draws in the style asked for: by the nearest of their pictures',
      ),
  )
    .requiredOption(
      '--run <folder>',
      'a run of `train` on data.dataset=emoji-edits, such as that of --preset emoji-edit',
    )
    .option('--count <n>', 'edits, evenly spread over those of held-out emoji', wholeNumber(1), 200)
    .option('--out <file>', 'a PNG file of pictures given, drawn and asked for (default: edits.png of the run)')
    .option('--images <n>', 'edits in it', wholeNumber(1, 1024), 32)
    .option('--seed <n>', 'the same seed draws the same', wholeNumber(0), 0)
    .option('--steps <n>', "denoising steps (default: the model's)", wholeNumber(1))
    .option('--guidance <w>', "how strictly instructions are followed; 1: no guidance (default: the model's)", number())
    .action(async ({ steps, guidance, ...options }) => {
      const choices = { image: { steps, guidance }, backend: backendChoice(options) };
      await evaluateEditsCommand({ ...options, ...choices }, terminal);
    });
  root
    .command('export')
    .description("a run's model without what only training needs, its weights in f16")
    .requiredOption('--run <folder>', 'of `train` or `vae`')
    .requiredOption('--out <folder>', 'a new folder')
    .option('--f32', 'keep 32 bits for every weight')
    .action(async (options) => exportCommand(options, terminal));
  root
    .command('merge')
    .description('a model with LoRAs as a plain model folder: W + scale B A')
    .requiredOption('--model <folder>', 'the model, or a LoRA whose model is where it says')
    .option('--lora <folder[:scale]>', 'a LoRA of it, times this factor (default: 1); may be repeated', adapterPath)
    .requiredOption('--out <folder>', 'a new folder')
    .action(async (options) => mergeCommand(options, terminal));
  withBackend(root.command('demo').description('train the demo, score it, and write its report to runs/demo'))
    .option('--preset <name>', 'other pictures to learn by heart: chameleon, the same ones as tokens', 'demo')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--set <key=value>', 'change one field of the demo configuration', collect, [])
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
    .addArgument(new Argument('[command]', 'whose configuration').choices(['train', 'vae']).default('train'))
    .action((command: 'train' | 'vae') => {
      const { schema } = command === 'vae' ? autoencoderKind : transfusionKind;
      terminal.out(JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), null, 2));
    });
  return root;
}

/** What a run of any kind is started with. */
function runOptions(command: Command, { presets }: { presets: Readonly<Record<string, unknown>> }): Command {
  const schema = command.name() === 'train' ? 'trainer schema' : `trainer schema ${command.name()}`;
  return withBackend(command)
    .option('--preset <name>', `a named configuration: ${Object.keys(presets).join(', ')}`)
    .option('--config <file>', `a JSON file with a configuration (see \`${schema}\`); it overrides the preset`)
    .option('--set <key=value>', 'one field, may be repeated: --set data.imageSize=32', collect, [])
    .option('--resume <folder>', 'go on with the run in this folder, exactly where its checkpoint is')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--overwrite', 'start over where a run of that name exists')
    .option('--dry-run', 'print the resolved configuration, parameters, work and memory, and do nothing');
}

const TRAIN_EXAMPLES = `
Examples:
  trainer train --preset tiny                      seconds; shows that everything works
  trainer train --preset emoji --dry-run           what training on all emoji would take
  trainer train --preset emoji --set seed=1        train; Ctrl-C saves and leaves
  trainer train --resume runs/emoji                go on
  trainer train --preset emoji-edit                editing by instruction; then trainer evaluate-edits --run runs/emoji-edit
  trainer train --preset emoji --profile           where the time of a step goes
  trainer train --finetune runs/emoji/model --set name=mine --set data.dataset=folder --set data.folder=pictures
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

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
