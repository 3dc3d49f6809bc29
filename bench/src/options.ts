/** @file Command-line options. */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BackendName } from './engines/engine.js';
import { ROWS } from './rows/index.js';

export interface Options {
  rows: string[];
  backends: BackendName[];
  repeats: number;
  quick: boolean;
  /** Only on a real GPU: software adapters are refused. */
  gpu: boolean;
  /** Take the times of our kernels instead of comparing engines. */
  profile: boolean;
  /** File of the results. */
  out: string;
}

/** A command line that cannot be followed; the message says what would do. */
export class UsageError extends Error {}

const DEFAULT_OUT = fileURLToPath(new URL('../results.json', import.meta.url));

/** The table of how the training step grows, which is no row. */
export const SCALING = 'scaling';

const NAMES = [...ROWS.map(({ name }) => name), SCALING];

const BACKENDS: readonly BackendName[] = ['wasm', 'webgpu'];

export const USAGE = `npm run bench -- [options]

  --only ROWS       rows to run, by commas: ${NAMES.join(', ')} (default: all)
  --backend NAMES   backends, by commas: ${BACKENDS.join(', ')} (default: both)
  --repeats N       rounds of interleaved repeats, at most (default: 7; 3 with --quick)
  --quick           short repeats and less work: to see that it runs
  --gpu             the rows for a real GPU; without one it says so and measures nothing
  --profile         where the time of our engine goes, by kind of kernel; Chrome traces go to bench/profile/
  --out FILE        where the results go (default: bench/results.json)
`;

/** @throws UsageError */
export function parseOptions(args: string[]): Options | 'help' {
  const { values } = parse(args);
  if (values.help) return 'help';
  const gpu = values.gpu ?? false;
  const rows = choose(
    '--only',
    values.only,
    NAMES,
    NAMES.filter((name) => gpu || !ROWS.find((row) => row.name === name)?.gpuOnly),
  );
  const backends = choose('--backend', values.backend, BACKENDS, gpu ? ['webgpu'] : BACKENDS);
  const quick = values.quick ?? false;
  const repeats = values.repeats === undefined ? (quick ? 3 : 7) : Number(values.repeats);
  if (!Number.isInteger(repeats) || repeats < 1) {
    throw new UsageError(`--repeats is '${values.repeats}', but must be a whole number, at least 1`);
  }
  return { rows, backends, repeats, quick, gpu, profile: values.profile ?? false, out: values.out ?? DEFAULT_OUT };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string' },
        backend: { type: 'string' },
        repeats: { type: 'string' },
        quick: { type: 'boolean' },
        profile: { type: 'boolean' },
        gpu: { type: 'boolean' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function choose<Name extends string>(
  option: string,
  given: string | undefined,
  names: readonly Name[],
  byDefault: readonly Name[],
): Name[] {
  if (given === undefined) return [...byDefault];
  const wanted = given.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !(names as readonly string[]).includes(name));
  if (unknown !== undefined) throw new UsageError(`${option}: there is no '${unknown}'; there are ${names.join(', ')}`);
  return names.filter((name) => wanted.includes(name));
}
