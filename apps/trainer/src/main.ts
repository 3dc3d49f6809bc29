/** @file The command line: what `trainer` can do, in the words of --help. */
import {
  adapterPath,
  type BackendChoice,
  backendChoice,
  GIVEN_MODEL,
  HUB_MODEL,
  imageSampling,
  number,
  numberAbove,
  repeatable,
  rootCommand,
  runCommand,
  type Terminal,
  wholeNumber,
  withBackend,
  withImageSampling,
} from '@transfusion/app-common';
import { schedulerNames } from '@transfusion/sampler';
import type { TrainingSession } from '@transfusion/training';
import type { LoadedRun } from '@transfusion/training/node';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { cardCommand } from './commands/card-command.js';
import { demoCommand } from './commands/demo-command.js';
import { encodeCommand } from './commands/encode-command.js';
import { evaluateCommand } from './commands/evaluate-command.js';
import { exportCommand } from './commands/export-command.js';
import { exportTask } from './commands/export-task.js';
import { HUB_DTYPES, hubExportCommand } from './commands/hub-export-command.js';
import { initCommand } from './commands/init-command.js';
import { type LaunchRanksOptions, launchRanks } from './commands/launch-ranks.js';
import { mergeCommand } from './commands/merge-command.js';
import { planCommand } from './commands/plan-command.js';
import { reconstructCommand } from './commands/reconstruct-command.js';
import { shardCommand } from './commands/shard-command.js';
import { studyCommand } from './commands/study-command.js';
import { newRunFolder, type TrainCommandOptions, trainCommand } from './commands/train-command.js';
import { DEFAULT_ENCODERS } from './evaluate/judge.js';
import { PART_NAMES } from './evaluate/part.js';
import { DEFAULT_GRID } from './evaluate/sweep-part.js';
import {
  ENCODE_EXAMPLES,
  EVALUATE_EXAMPLES,
  EVALUATOR_EXAMPLES,
  EXPORT_EXAMPLES,
  INIT_EXAMPLES,
  PLAN_EXAMPLES,
  SHARD_EXAMPLES,
  TRAIN_EXAMPLES,
  VAE_EXAMPLES,
} from './examples.js';
import { hints } from './hints.js';
import { autoencoderKind } from './kinds/autoencoder.js';
import { evaluatorKind } from './kinds/evaluator.js';
import type { AnyRunConfig, Kind } from './kinds/kind.js';
import { transfusionKind } from './kinds/transfusion.js';
import { quantity, type Unit } from './plan/quantity.js';
import { presets } from './presets/index.js';
import { leaveRanks, namedTerminal, refuseRanks, terminalOfRank } from './ranks.js';

/** Runs the command line and returns the exit code: 0 done (or saved when told to stop), 1 failed while running, 2 bad input. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let ofRanks = 0;
  const launch: Launch = async (options) => {
    ofRanks = await launchRanks({ ...options, argv }, terminal);
  };
  const root = program(terminalOfRank(terminal), launch);
  const code = (await runCommand(root, argv, namedTerminal(terminal), hints)) || ofRanks;
  await leaveRanks(code);
  return code;
}

/** Starts the command as ranks, which have told what there is to tell. */
type Launch = (options: Omit<LaunchRanksOptions, 'argv'>) => Promise<void>;

function program(terminal: Terminal, launch: Launch): Command {
  const root = rootCommand('trainer', terminal).description(
    'Trains Transfusion models: one transformer that predicts text and diffuses images.',
  );
  root.hook('preAction', (_, command) => refuseRanks(command.name()));
  const presetNames = Object.keys(presets).join(', ');
  withRanks(runOptions(root.command('train').description('train a model, or go on with a run'), transfusionKind))
    .option(
      '--finetune <folder>',
      `start from the weights, tokenizer, codec and sizes of this model: a folder, or ${HUB_MODEL}`,
    )
    .option(
      '--profile',
      'take the times of a dozen steps by kind of kernel, write Chrome traces, and save nothing else',
    )
    .addHelpText('after', TRAIN_EXAMPLES)
    .action((options) => trainAsRanks(transfusionKind, options));
  withRanks(
    runOptions(root.command('vae').description('train an autoencoder, KL or VQ, or go on with a run'), autoencoderKind),
  )
    .addHelpText('after', VAE_EXAMPLES)
    .action((options) => trainAsRanks(autoencoderKind, options));
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
  withRanks(
    withBackend(
      root
        .command('encode')
        .description("keep the latents of a configuration's pictures in a folder, for `train` to read"),
    ),
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
      const { config: file, ranks, maxRestarts, ...others } = options;
      if (ranks !== undefined) return launch({ ranks, maxRestarts });
      await encodeCommand({ ...others, file, backend: backendChoice(options) }, terminal);
    });
  root
    .command('shard')
    .description("write a configuration's pictures into tar shards, for `train` to stream from a disk or a server")
    .option('--preset <name>', `a named configuration of \`train\`: ${presetNames}`)
    .option('--config <file>', 'a JSON file with a configuration of `train`; it overrides the preset')
    .addOption(
      repeatable('--set <key=value>', 'one field, may be repeated: --set data.imageSize=64', collect).default([]),
    )
    .requiredOption('--out <folder>', 'where the shards and their index.json go')
    .option('--name <name>', "the beginning of the shards' names; default: that of the dataset")
    .option('--samples-per-shard <n>', 'pictures of a shard', wholeNumber(1, 1_000_000), 1000)
    .option('--runs <folder>', 'where runs are kept; decoded pictures are kept beside it', 'runs')
    .addHelpText('after', SHARD_EXAMPLES)
    .action(async ({ config: file, ...options }) => shardCommand({ ...options, file }, terminal));
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
    .option(
      '--beams <n>',
      'beginnings that the search for a caption goes on with (1: greedily)',
      wholeNumber(1, 64),
      16,
    )
    .option(
      '--draws <n>',
      'how often a picture is denoised after each caption that was found, to take the one that explains it best (0: the likeliest text; default: 16 where the model diffuses images)',
      wholeNumber(0, 1024),
    )
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
    .command('plan')
    .description('memory, bytes and time of a run on any number of ranks, on paper; and what breaks first')
    .option('--preset <name>', `a named configuration of \`train\`: ${presetNames}`)
    .option('--size <name>', "one of the paper's that is a preset: 1.4B or 7B")
    .option('--config <file>', 'a JSON file with a configuration of `train`; it overrides the preset')
    .addOption(repeatable('--set <key=value>', 'one field, may be repeated: --set precision=f16', collect).default([]))
    .option(
      '--ranks <list>',
      'processes with a device each; a row for each number (default: those of 1,8,16,32,64 that can share a step)',
      listOf(wholeNumber(1, 65_536)),
    )
    .addOption(measured('--flops <rate>', 'of a device', 'FLOP/s', '20TFLOP/s'))
    .option('--efficiency <share>', 'of that, in the kernels of training', numberAbove(0, 1), 1)
    .addOption(measured('--link <rate>', 'of each rank to the others, each way', 'B/s', '25GB/s'))
    .addOption(measured('--host-link <rate>', "between a device and its host's memory", 'B/s', '25GB/s'))
    .addOption(measured('--latency <time>', 'of a message between two ranks', 's', '5us'))
    .addOption(measured('--device-memory <bytes>', 'of a device', 'B', '80GB'))
    .addOption(measured('--binding <bytes>', 'the largest buffer that a device binds', 'B', '2GiB'))
    .option('--host-memory <bytes>', 'of a host, for each rank on it (default: not looked at)', quantity('B'))
    .addOption(new Option('--exchange <type>', 'of gradients on their way').choices(['f32', 'f16']).default('f32'))
    .addOption(
      new Option('--averages <where>', 'the first rank has all moving averages, or each owner its own alone')
        .choices(['first-rank', 'owners'])
        .default('first-rank'),
    )
    .option(
      '--micro-batch <rows>',
      "of a micro-batch; a step keeps its rows (default: the configuration's)",
      wholeNumber(1),
    )
    .option('--vocabulary <n>', "token ids (default: the tokenizer's; of the paper's sizes 32,000)", wholeNumber(1))
    .option('--inner-steps <n>', 'of DiLoCo, to compare with', wholeNumber(1), 500)
    .option('--json', 'everything as JSON')
    .addHelpText('after', PLAN_EXAMPLES)
    .action(async ({ config: file, ...options }) => planCommand({ ...options, file }, terminal));
  root
    .command('init')
    .description('an untrained model as a folder, made and written tensor by tensor: larger than memory if need be')
    .option('--preset <name>', `a named configuration of \`train\`: ${presetNames}`)
    .option('--config <file>', 'a JSON file with a configuration of `train`; it overrides the preset')
    .addOption(
      repeatable(
        '--set <key=value>',
        'one field, may be repeated: --set tokenizer.file=tokenizer.json',
        collect,
      ).default([]),
    )
    .requiredOption('--out <folder>', 'a new folder')
    .addOption(new Option('--dtype <type>', 'how weights are stored').choices(['f32', 'f16']).default('f32'))
    .option('--vocabulary <n>', "token ids (default: the tokenizer's; of the paper's sizes 32,000)", wholeNumber(1))
    .option('--max-shard <bytes>', 'of a file, such as 5GB (default: 256 MB)', quantity('B'))
    .addHelpText('after', INIT_EXAMPLES)
    .action(async ({ config: file, maxShard, ...options }) =>
      initCommand({ ...options, file, maxShardBytes: maxShard }, terminal),
    );
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

  async function trainAsRanks<
    Config extends AnyRunConfig,
    Session extends TrainingSession,
    Loaded extends LoadedRun<Config>,
  >(kind: Kind<Config, Session, Loaded>, given: TrainOptions): Promise<void> {
    const { config: file, ranks, maxRestarts, ...others } = given;
    const options = { ...others, file, backend: backendChoice(given) };
    if (ranks === undefined || given.dryRun) await trainCommand(kind, { ...options, ranks }, terminal);
    else await launch({ ranks, maxRestarts, newRun: await newRunFolder(kind, options, terminal) });
  }
}

/** As the options of `train` and `vae` are parsed. */
type TrainOptions = Omit<TrainCommandOptions, 'backend' | 'file'> &
  BackendChoice & { config?: string; ranks?: number; maxRestarts: number };

/** What starts a command several times. */
function withRanks(command: Command): Command {
  return command
    .option(
      '--ranks <n>',
      'share the work among so many processes under mpirun, on this machine: the same result, bit for bit',
      wholeNumber(1, 4096),
    )
    .option(
      '--max-restarts <n>',
      'with --ranks: go on from the last checkpoint when a rank is lost, so often at most',
      wholeNumber(0, 1000),
      0,
    );
}

/** By command. */
const SCHEMAS = { train: transfusionKind.schema, vae: autoencoderKind.schema, evaluator: evaluatorKind.schema };

function measured(flags: string, description: string, unit: Unit, usual: string): Option {
  const parse = quantity(unit);
  return new Option(flags, description).argParser(parse).default(parse(usual), usual);
}

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
