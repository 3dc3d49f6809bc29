/** @file `trainer study`: trains variants of a configuration on pictures learned by heart, and writes one table of all. */
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackendChoice, openBackend, type Terminal, withProgress } from '@transfusion/app-common';
import { writeOutputFile } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { countParameters } from '@transfusion/nn';
import { completeImageSampling } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import { type Progress, planRun, scoreCaptions, scoreDrawings, stepOptionsOf } from '@transfusion/training';
import { runFiles } from '@transfusion/training/node';
import { transfusionSpec } from '@transfusion/transformer';
import { resolveConfig } from '../config/resolve-config.js';
import type { RunConfig } from '../config/run-config.js';
import { readStudy, type Variant } from '../config/study.js';
import { earlierRun } from '../config/unfinished-run.js';
import { trainRun } from '../kinds/train-run.js';
import { type TransfusionRun, transfusionKind } from '../kinds/transfusion.js';
import { sessionSampler } from '../report/samples.js';
import { type StudyRow, studyPictures, studyTable, type VariantResult } from '../report/study-table.js';

export interface StudyCommandOptions {
  /** A JSON file, see `studySchema`. */
  study: string;
  /** A folder for the runs, the table and the pictures. */
  out: string;
  backend: BackendChoice;
}

/** Pictures of a row in the picture of all. */
const SHOWN = 8;

/** Each variant is trained and scored as soon as it is done; an interrupted study goes on where it was. */
export async function studyCommand({ study: file, out, backend: choice }: StudyCommandOptions, terminal: Terminal) {
  const study = await readStudy(file);
  const { preset } = study;
  const configs: RunConfig[] = [];
  // All of them before the first is trained.
  for (const variant of study.variants) {
    const set = [...study.set, ...variant.set, `name=${variant.name}`];
    const where = `${file}, variant ${variant.name}`;
    try {
      const config = await resolveConfig(transfusionKind, { preset, set, where: `${where}, with its set,` });
      checkDrawings(variant, config);
      configs.push(config);
    } catch (error) {
      throw inVariant(error, where);
    }
  }
  await refuseRun(out);
  for (const config of configs) await refuseOther(join(out, config.name), config);
  await mkdir(out, { recursive: true });
  const backend = await openBackend(choice, terminal);
  const rows: StudyRow[] = [];
  try {
    for (const [i, variant] of study.variants.entries()) {
      terminal.log(`${i + 1} of ${configs.length}: ${variant.is}`);
      const done = await variantRows({ variant, config: configs[i], out, backend, terminal });
      if (!done) return terminal.log('stopped; the same command goes on from here');
      rows.push(...done);
    }
  } finally {
    await backend.dispose();
  }
  const files = ['table.md', 'pictures.png', 'study.json'].map((name) => join(out, name));
  const table = studyTable(study.title, rows);
  await writeOutputFile(files[0], table);
  await writeOutputFile(files[1], studyPictures(rows));
  await writeOutputFile(files[2], `${JSON.stringify({ ...study, rows: rows.map(figures) }, null, 2)}\n`);
  terminal.out(`${table}\n${files.join('\n')}`);
}

/** With the file and the variant, where the error does not name them. */
function inVariant(error: unknown, where: string): unknown {
  if (!TransfusionError.isInstance(error)) return error;
  const { code, fix } = error;
  const message = error.message.slice(`${code}: `.length).replace(`\n  fix: ${fix}`, '');
  if (message.startsWith(where)) return error;
  return new TransfusionError({ code, message: `${where}: ${message}`, fix, cause: error });
}

/** @throws TransfusionError SCHEDULER_CONFIG_INVALID, SAMPLER_OPTIONS, SCHEDULER_STEPS_RANGE: a model cannot be drawn from so */
function checkDrawings({ drawings }: Variant, { diffusion, sampling, model }: RunConfig): void {
  const { images = 'diffusion' } = model;
  for (const drawing of drawings) {
    completeImageSampling({ diffusion: { ...diffusion, clampSample: null }, sampling, model: { images } }, drawing);
  }
}

/** @throws TransfusionError RUN_EXISTS: the study's folder is that of a run */
async function refuseRun(out: string): Promise<void> {
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(runFiles(out).metrics))) return;
  throw new TransfusionError({
    code: 'RUN_EXISTS',
    message: `${out} is the folder of a run, and a study has runs in a folder of its own`,
    fix: 'give the study another folder with --out',
  });
}

/** Nothing that was trained before is replaced. @throws TransfusionError RUN_EXISTS: there is a run of another configuration */
async function refuseOther(folder: string, config: RunConfig): Promise<void> {
  const run = await earlierRun(folder, config);
  const exists = await access(runFiles(folder).model).then(
    () => true,
    () => false,
  );
  if (!exists || run?.state.config.steps === config.steps) return;
  throw new TransfusionError({
    code: 'RUN_EXISTS',
    message: `${folder} holds a run of another configuration than this study's`,
    fix: 'give the study another folder with --out',
  });
}

interface VariantTask {
  variant: Variant;
  config: RunConfig;
  out: string;
  backend: Backend;
  terminal: Terminal;
}

/** The variant's rows of the table: trained as far as that is not done. Undefined where it was told to stop. */
async function variantRows({ variant, config, out, backend, terminal }: VariantTask): Promise<StudyRow[] | undefined> {
  const folder = join(out, config.name);
  const resume = await earlierRun(folder, config);
  const cacheFolder = join(out, '.cache');
  const run = await transfusionKind.open(config, { backend, cacheFolder, terminal, resume });
  const losses = join(folder, 'losses.json');
  try {
    let done: Progress | undefined = resume?.state;
    if (!done || done.step < config.steps) {
      const trained = await trainRun(transfusionKind, run, { folder, start: done, signal: terminal.signal });
      if (!trained.finished) return undefined;
      await writeOutputFile(losses, JSON.stringify(trained.logged));
      done = trained;
    }
    const result: VariantResult = {
      is: variant.is,
      parameters: countParameters(transfusionSpec(run.session.pipeline.model)),
      steps: done.step,
      trainSeconds: done.trainSeconds,
      flopsPerStep: await stepFlops(run, config.steps),
      losses: JSON.parse(await readFile(losses, 'utf8')),
    };
    return await scored(run, variant, result, terminal);
  } finally {
    run.session.dispose();
  }
}

async function stepFlops({ session }: TransfusionRun, steps: number): Promise<number> {
  const { phases, optimisation, state } = session;
  return (await planRun(phases, stepOptionsOf(optimisation), steps, state.constants)).step.flops;
}

async function scored(
  { session, config }: TransfusionRun,
  { drawings }: Variant,
  result: VariantResult,
  { signal }: Terminal,
): Promise<StudyRow[]> {
  const examples = session.examples.train;
  if (examples.length === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'a study draws the pictures that were trained on, and there are none',
      fix: 'choose a dataset of pictures with captions',
    });
  }
  const sampler = sessionSampler(session);
  try {
    const { accuracy } = await scoreCaptions(sampler, examples);
    const rows: StudyRow[] = [];
    for (const chosen of drawings) {
      const sampling = completeImageSampling(session.pipeline, chosen);
      const { retrieval, drawn, error } = await withProgress({ label: 'draw', total: 100 }, (update) =>
        scoreDrawings(sampler, examples, {
          ...{ ...sampling, seed: config.seed, signal },
          onStep: ({ step, steps }) => update(Math.round((100 * step) / steps)),
        }),
      );
      const pictures = drawn.slice(0, SHOWN).map(({ image }) => image);
      rows.push({ ...result, sampling, retrieval, error, captionAccuracy: accuracy, pictures });
    }
    return rows;
  } finally {
    sampler.dispose();
  }
}

function figures({ pictures, ...row }: StudyRow): Omit<StudyRow, 'pictures'> {
  return row;
}
