/** @file The command line: what `trainer` can do, in the words of --help. */
import { backendChoice, number, rootCommand, runCommand, type Terminal, withBackend } from '@transfusion/app-common';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { demoCommand } from './commands/demo-command.js';
import { trainCommand } from './commands/train-command.js';
import { runConfigSchema } from './config/run-config.js';
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
  withBackend(root.command('train').description('train a model, or go on with a run'))
    .option('--preset <name>', `a named configuration: ${presetNames}`)
    .option('--config <file>', 'a JSON file with a configuration (see `trainer schema`); it overrides the preset')
    .option('--set <key=value>', 'one field, may be repeated: --set data.imageSize=32', collect, [])
    .option('--resume <folder>', 'go on with the run in this folder, exactly where its checkpoint is')
    .option('--runs <folder>', 'where runs are kept', 'runs')
    .option('--overwrite', 'start over where a run of that name exists')
    .option('--dry-run', 'print the resolved configuration, parameters, work and memory, and do nothing')
    .option(
      '--profile',
      'take the times of a dozen steps by kind of kernel, write Chrome traces, and save nothing else',
    )
    .addHelpText('after', TRAIN_EXAMPLES)
    .action(async (options) => {
      const { config: file, ...others } = options;
      await trainCommand({ ...others, file, backend: backendChoice(options) }, terminal);
    });
  withBackend(root.command('demo').description('train the demo, score it, and write its report to runs/demo'))
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
  root
    .command('schema')
    .description('print the JSON schema of a configuration: every field, its default and meaning')
    .action(() => terminal.out(JSON.stringify(z.toJSONSchema(runConfigSchema, { io: 'input' }), null, 2)));
  return root;
}

const TRAIN_EXAMPLES = `
Examples:
  trainer train --preset tiny                      a minute's run that shows that everything works
  trainer train --preset emoji --dry-run           what training on all emoji would take
  trainer train --preset emoji --set seed=1        train; Ctrl-C saves and leaves
  trainer train --resume runs/emoji                go on
  trainer train --preset emoji --profile           where the time of a step goes`;

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
