/** @file `npm run bench`: our engine beside others, on the same machine and adapter. */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { BackendName } from './engines/engine.js';
import { openOurs } from './engines/open.js';
import { REQUIRE_GPU } from './engines/require-gpu.js';
import { partOfPeak } from './gpu-peaks.js';
import { describeMachine } from './machine.js';
import { measure } from './measure.js';
import { type Options, parseOptions, SCALING, USAGE, UsageError } from './options.js';
import { profileRows } from './profile.js';
import { formatTable, type Results, resultRow } from './results.js';
import { ROWS } from './rows/index.js';
import { measureScaling } from './scaling/measure-scaling.js';

async function run({ rows, backends, repeats, quick, out }: Options): Promise<void> {
  const results: Results = { machine: describeMachine(), rows: [] };
  const { machine } = results;
  const log = (line: string) => console.log(line);
  log(`${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`);
  if (machine.loadAverage > machine.cores / 2) {
    log(`the machine is busy (load average ${machine.loadAverage}): compare ratios, not speeds`);
  }
  for (const backend of backends) {
    for (const row of ROWS.filter(
      ({ name, backends }) => rows.includes(name) && (backends ?? [backend]).includes(backend),
    )) {
      try {
        const measurement = await measure({ row, backend, repeats, quick, log });
        results.rows.push(resultRow(row.name, backend, measurement));
        const ours = measurement.speeds.get('ours');
        if (backend === 'webgpu') machine.adapter = ours?.description;
        const part = row.gpuOnly && ours && partOfPeak(ours.description, ours.value);
        if (part) log(`${row.name}: ${part}`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        results.skipped = [...(results.skipped ?? []), { name: row.name, backend, reason }];
        log(`${row.name} on ${backend}: not run: ${reason}`);
      }
    }
  }
  if (rows.includes(SCALING))
    for (const backend of backends) await addScaling(results, { backend, repeats, quick, log });
  console.log(`\n${formatTable(results)}`);
  writeFileSync(out, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\nwritten to ${relative(process.cwd(), out)}`);
  if (results.rows.length === 0 && !results.scaling) process.exitCode = 1;
}

type ScalingOptions = Pick<Options, 'repeats' | 'quick'> & { backend: BackendName; log: (line: string) => void };

/** Our own engine alone, hence in this process. A software adapter would take an hour. */
async function addScaling(results: Results, { backend: name, ...options }: ScalingOptions): Promise<void> {
  const skip = (reason: string) => {
    results.skipped = [...(results.skipped ?? []), { name: SCALING, backend: name, reason }];
  };
  try {
    const { backend, software } = await openOurs(name);
    try {
      if (software) return skip('only on a real GPU or on the CPU');
      results.scaling = { ...results.scaling, [name]: await measureScaling({ backend, ...options }) };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    skip(error instanceof Error ? error.message : String(error));
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') console.log(USAGE);
  else {
    // For the engines' processes.
    if (options.gpu) process.env[REQUIRE_GPU] = '1';
    await (options.profile ? profileRows(options) : run(options));
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
