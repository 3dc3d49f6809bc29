/** @file `trainer demo`: trains the demo preset, draws from captions, captions images, and writes the report. */

import { rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackendChoice, openBackend, type Terminal, withProgress } from '@transfusion/app-common';
import { readMetrics } from '@transfusion/checkpoint/node';
import { imageOf } from '@transfusion/data';
import { countParameters } from '@transfusion/nn';
import type { Backend } from '@transfusion/tensor';
import { scoreCaptions, scoreDrawings } from '@transfusion/training';
import { runFiles } from '@transfusion/training/node';
import { transfusionSpec } from '@transfusion/transformer';
import { resolveConfig } from '../config/resolve-config.js';
import type { RunConfig } from '../config/run-config.js';
import { unfinishedRun } from '../config/unfinished-run.js';
import type { RunResult } from '../kinds/kind.js';
import { trainRun } from '../kinds/train-run.js';
import { type TransfusionRun, transfusionKind } from '../kinds/transfusion.js';
import { comparisonGrid } from '../report/comparison-grid.js';
import { type DemoResult, demoSummary } from '../report/demo-summary.js';
import { writeReport } from '../report/report.js';
import { sessionSampler } from '../report/samples.js';

export interface DemoCommandOptions {
  /** A configuration of pictures to learn by heart; default: demo. */
  preset?: string;
  runs: string;
  set: readonly string[];
  setupSeconds: number;
  /** Train no longer than about this. */
  maxTrainSeconds: number;
  backend: BackendChoice;
}

export async function demoCommand(options: DemoCommandOptions, terminal: Terminal): Promise<void> {
  const { preset = 'demo', set } = options;
  const wanted = await resolveConfig(transfusionKind, { preset, set });
  const folder = join(options.runs, wanted.name);
  const backend = await openBackend(options.backend, terminal);
  try {
    const resume = await unfinishedRun(folder, wanted, terminal);
    const config = resume?.state.config ?? (await fittedConfig(wanted, backend, options, terminal));
    const run = await transfusionKind.open(config, { backend, cacheFolder: cacheFolder(options), terminal, resume });
    try {
      if (!resume) await keepEarlier(folder, terminal);
      const { signal } = terminal;
      const trained = await trainRun(transfusionKind, run, { folder, start: resume?.state, signal });
      if (!trained.finished) {
        const command = (options.preset ?? 'demo') === 'demo' ? '`npm run demo`' : 'the same command';
        terminal.log(`stopped; ${command} goes on from here`);
        return;
      }
      await present({ run, folder, trained, backend, options, terminal });
    } finally {
      run.session.dispose();
    }
  } finally {
    await backend.dispose();
  }
}

/** Moves a demo that was trained before out of the way: this one may be interrupted. */
async function keepEarlier(folder: string, terminal: Terminal): Promise<void> {
  const exists = (path: string) => stat(path).then(Boolean, () => false);
  if (!(await exists(runFiles(folder).model))) return;
  let kept = 1;
  while (await exists(`${folder}-${kept}`)) kept++;
  await rename(folder, `${folder}-${kept}`);
  terminal.log(`the demo of before is kept in ${folder}-${kept}; this one starts over`);
}

function cacheFolder({ runs }: DemoCommandOptions): string {
  return join(runs, '..', '.cache', 'data');
}

/** Fewer steps on a slow machine: as many as fit into `maxTrainSeconds` at the speed measured in some throw-away steps. */
async function fittedConfig(wanted: RunConfig, backend: Backend, options: DemoCommandOptions, terminal: Terminal) {
  const { session } = await transfusionKind.open(wanted, { backend, cacheFolder: cacheFolder(options), terminal });
  const seconds: number[] = [];
  try {
    for (let step = 0; step < 12; step++) {
      const begun = performance.now();
      await session.runner.run(step + 1, await session.batches(step));
      seconds.push((performance.now() - begun) / 1000);
    }
  } finally {
    session.dispose();
  }
  const median = seconds.sort((a, b) => a - b)[seconds.length >> 1];
  const steps = Math.min(wanted.steps, Math.max(100, Math.floor(options.maxTrainSeconds / median)));
  if (steps < wanted.steps) {
    terminal.log(
      `this machine takes ${median.toFixed(2)} s a step: training ${steps} steps instead of ${wanted.steps}`,
    );
  }
  return resolveConfig(transfusionKind, {
    preset: options.preset ?? 'demo',
    set: [...options.set, `steps=${steps}`],
  });
}

interface Presentation {
  run: TransfusionRun;
  folder: string;
  trained: RunResult;
  backend: Backend;
  options: DemoCommandOptions;
  terminal: Terminal;
}

async function present({ run, folder, trained, backend, options, terminal }: Presentation): Promise<void> {
  const { session, config } = run;
  const begun = performance.now();
  const sampler = sessionSampler(session);
  const examples = session.examples.train;
  const given = { seed: config.seed, signal: terminal.signal };
  const drawings = await withProgress({ label: 'draw', total: 100 }, (update) =>
    scoreDrawings(sampler, examples, {
      ...given,
      onStep: ({ step, steps }) => update(Math.round((100 * step) / steps)),
    }),
  );
  terminal.log('captioning');
  const captions = await scoreCaptions(sampler, examples);
  sampler.dispose();
  const result: DemoResult = {
    setupSeconds: options.setupSeconds,
    trainSeconds: trained.trainSeconds,
    evaluateSeconds: (performance.now() - begun) / 1000,
    backend: `${backend.name}, ${backend.description}`,
    parameters: countParameters(transfusionSpec(session.pipeline.model)),
    steps: trained.step,
    tokensPerSecond: trained.speeds.tokensPerSecond,
    gflopPerSecond: trained.speeds.gflopPerSecond,
    finalTextLoss: trained.logged.language,
    finalImageLoss: trained.logged.diffusion ?? trained.logged.codes,
    imageRetrieval: drawings.retrieval,
    captionAccuracy: captions.accuracy,
  };
  const files = {
    report: runFiles(folder).report,
    samples: join(folder, 'samples.png'),
    json: join(folder, 'demo.json'),
  };
  const drawn = drawings.drawn.map(({ image }) => image);
  await writeFile(files.samples, comparisonGrid(examples.map(imageOf), drawn));
  await writeFile(files.json, `${JSON.stringify(result, null, 2)}\n`);
  await writeReport(files.report, {
    result,
    config,
    examples,
    drawings: drawings.drawn,
    captions: captions.captions,
    metrics: await readMetrics(runFiles(folder).metrics),
  });
  terminal.out(demoSummary(result, files, folder));
}
