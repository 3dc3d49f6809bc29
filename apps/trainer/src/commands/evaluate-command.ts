/** @file `trainer evaluate`: how good a trained model is, on what it has never seen. */
import { join } from 'node:path';
import {
  type BackendChoice,
  type CaptionSearch,
  captionSearch,
  formatSeconds,
  imageFlags,
  inFlags,
  openBackend,
  type Terminal,
} from '@transfusion/app-common';
import { weightsFingerprint } from '@transfusion/checkpoint';
import { checkWritableFile } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { type SamplingGrid, samplingSettings } from '@transfusion/evaluation';
import { completeImageSampling, type ImageSamplingOptions } from '@transfusion/sampler';
import { loadTransfusionRun } from '@transfusion/training/node';
import { movedConfig } from '../config/moved-config.js';
import { type RunConfig, runConfigSchema } from '../config/run-config.js';
import { captionsPart } from '../evaluate/captions-part.js';
import { drawingsPart } from '../evaluate/drawings-part.js';
import { editsPart } from '../evaluate/edits-part.js';
import { type Examination, openExamination } from '../evaluate/examination.js';
import { type Judge, type JudgeOptions, readJudge } from '../evaluate/judge.js';
import { attentionPart, timestepsPart } from '../evaluate/looks-parts.js';
import { PART_NAMES, type Part, type PartName, type PartResult } from '../evaluate/part.js';
import { promptsPart, readPrompts } from '../evaluate/prompts-part.js';
import { type EvaluationFolder, openEvaluationFolder } from '../evaluate/record.js';
import { completeGrid, suitedTo, sweepPart, type WantedGrid } from '../evaluate/sweep-part.js';
import { textPart } from '../evaluate/text-part.js';
import type { LoadedTransfusion } from '../kinds/transfusion.js';
import { scoreLines } from '../report/evaluation-table.js';

export interface EvaluateOptions extends JudgeOptions {
  /** The folder of a run of `trainer train`, finished or not. */
  run: string;
  /** Fields that say where its data are, where they have moved. */
  set: readonly string[];
  /** Pictures of each set. */
  count: number;
  /** Default: all. */
  only?: readonly PartName[];
  /** Of captions: see `Sampler.captionImages`. */
  beams: number;
  /** Likewise; default: 16 where the model diffuses images, else 0. */
  draws?: number;
  sweepCount: number;
  grid: WantedGrid;
  /** A file with a prompt on each line; default: none are drawn. */
  prompts?: string;
  seed: number;
  image: ImageSamplingOptions;
  /** A folder; default: evaluation in that of the run. */
  out?: string;
  backend: BackendChoice;
}

export async function evaluateCommand(options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const { run, out = join(run, 'evaluation'), only = PART_NAMES } = options;
  if (options.featuresPreset !== undefined && options.features === undefined) {
    throw new TransfusionError({
      code: 'EVALUATE_OPTIONS',
      message: `--features-preset is ${options.featuresPreset}, and there is no --features: it would do nothing`,
      fix: 'give the ONNX file with --features, or leave the preset out',
    });
  }
  if (options.only?.includes('prompts') && options.prompts === undefined) {
    throw new TransfusionError({
      code: 'EVALUATE_OPTIONS',
      message: '--only has prompts, and there is no --prompts to draw',
      fix: 'give a file with a prompt on each line with --prompts',
    });
  }
  const prompts = options.prompts === undefined ? [] : await readPrompts(options.prompts);
  await checkWritableFile(join(out, 'report.html'));
  const stored = await loadTransfusionRun(run, runConfigSchema);
  const config = movedConfig(stored.state.config, options.set);
  const loaded = { ...stored, state: { ...stored.state, config } };
  // A mistake is told before pictures are read.
  const grid = completeGrid(options.grid, config);
  if (config.model.images !== 'none') await inFlags(checkSampling(options, config));
  const search = captionSearch(options, config.model);
  const openJudge = await readJudge(options, config);
  const backend = await openBackend(options.backend, terminal);
  let judge: Judge | undefined;
  let examination: Awaited<ReturnType<typeof openExamination>> | undefined;
  try {
    judge = await openJudge(backend);
    examination = await openExamination({ ...options, loaded, terminal }, backend, judge);
    const folder = await openFolder(out, options, loaded, judge);
    const parts = partsWith({ grid, prompts, search });
    const made: Partial<Record<PartName, object>> = {
      captions: search,
      sweep: { ...grid, pictures: options.sweepCount },
      prompts: { prompts },
    };
    for (const name of PART_NAMES) {
      if (!only.includes(name) || (name === 'prompts' && prompts.length === 0)) continue;
      const own = made[name] ?? {};
      if (options.only === undefined && folder.has(name, own)) {
        terminal.log(`${name}: kept from before, of the same weights and options (--only ${name} makes it anew)`);
      } else await evaluatePart(name, parts[name], { examination, folder, made: own });
    }
    if (folder.scores().length > 0) terminal.out(scoreLines(folder.scores()));
    for (const each of folder.leftOut()) terminal.log(`left out: ${each}`);
    terminal.log(`wrote ${join(out, 'report.html')}${folder.scores().length > 0 ? ' and evaluation.json' : ''}`);
  } finally {
    examination?.dispose();
    await judge?.dispose();
    await backend.dispose();
  }
}

function partsWith({
  grid,
  prompts,
  search,
}: {
  grid: SamplingGrid;
  prompts: readonly string[];
  search: CaptionSearch;
}): Readonly<Record<PartName, Part>> {
  return {
    text: textPart,
    captions: (examination) => captionsPart(examination, search),
    drawings: drawingsPart,
    edits: editsPart,
    prompts: (examination) => promptsPart(examination, prompts),
    sweep: (examination) => sweepPart(examination, grid),
    timesteps: timestepsPart,
    attention: attentionPart,
  };
}

async function evaluatePart(
  name: PartName,
  part: Part,
  { examination, folder, made }: { examination: Examination; folder: EvaluationFolder; made: object },
): Promise<void> {
  const { terminal } = examination;
  const begun = performance.now();
  terminal.signal.throwIfAborted();
  const found = await part(examination);
  const result: PartResult =
    typeof found === 'string' ? { scores: [], html: '', leftOut: [`${name}: ${found}`] } : found;
  const seconds = (performance.now() - begun) / 1000;
  await folder.add(name, result, { seconds, options: made });
  terminal.log(typeof found === 'string' ? `${name}: left out` : `${name}: ${formatSeconds(seconds)}`);
}

async function openFolder(
  out: string,
  { run, seed, count, image, features }: EvaluateOptions,
  { state: { step, config }, values }: LoadedTransfusion,
  judge: Judge,
): Promise<EvaluationFolder> {
  const names = { encoder: judge.pair?.name ?? judge.classes?.name ?? null, features: features ?? null };
  const averaged = [...values].filter(([name]) => name.startsWith('ema.'));
  const model = await weightsFingerprint(
    new Map(averaged.map(([name, data]) => [name, { shape: [data.length], data }])),
  );
  const sampling = Object.fromEntries(Object.entries(image).filter(([, value]) => value !== undefined));
  const facts = {
    run: config.name,
    step,
    seed,
    count,
    sampling,
    ...names,
    weights: { model, encoder: judge.fingerprint },
  };
  const flags = imageFlags({ ...config.sampling, ...sampling } as Parameters<typeof imageFlags>[0]);
  const judges = [names.encoder, names.features].filter((name) => name !== null);
  const sentences = [
    `${run}, after ${step.toLocaleString('en')} of ${config.steps.toLocaleString('en')} steps: its averaged weights.`,
    ...(config.model.images === 'none' ? [] : [`Drawn with ${flags.join(' ')}, seed ${seed}.`]),
    judges.length > 0 ? `Judged by ${judges.join(' and ')}, and by pixels.` : 'Judged by pixels alone.',
  ];
  return openEvaluationFolder(out, facts, { title: `Evaluation of ${config.name}`, sentences });
}

/** @throws TransfusionError SAMPLER_OPTIONS, SCHEDULER_*: an option that does nothing, a setting that the model cannot be drawn with */
async function checkSampling({ image, grid, only = PART_NAMES }: EvaluateOptions, config: RunConfig): Promise<void> {
  completeImageSampling(drawingOf(config), image);
  if (config.model.images === 'tokens' || !only.includes('sweep')) return;
  for (const setting of samplingSettings(completeGrid(grid, config))) {
    completeImageSampling(drawingOf(config), suitedTo(setting, image));
  }
}

/** What options of images are checked against; where predictions are clamped is nothing that they say. */
function drawingOf({ model: { images = 'diffusion' }, sampling, diffusion }: RunConfig) {
  return { model: { images }, sampling, diffusion: { ...diffusion, clampSample: null } };
}
