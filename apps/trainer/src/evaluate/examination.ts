/** @file A trained run, opened to be examined: its model, what of its data is looked at, and who judges. */
import { join } from 'node:path';
import { createProgress, type Progress, type Terminal } from '@transfusion/app-common';
import type { RgbImage } from '@transfusion/data';
import type { ImageSamplingOptions, Sampler } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import {
  drawExamples,
  type Example,
  openTransfusionSession,
  picturesOfTheirOwn,
  spread,
  type TransfusionSession,
  type TransfusionTask,
} from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import { type LoadedTransfusion, prepareRun } from '../kinds/transfusion.js';
import { sessionSampler } from '../report/samples.js';
import type { Judge } from './judge.js';
import { type PictureSet, type PictureSets, pictureSets } from './picture-sets.js';

/** Pictures and documents of a split whose losses along the noise are taken. */
export const LOOKED_AT = 32;

export interface ExaminationOptions {
  run: string;
  loaded: LoadedTransfusion;
  /** Pictures of each set. */
  count: number;
  /** Pictures of each setting that is tried. */
  sweepCount: number;
  seed: number;
  image: ImageSamplingOptions;
  terminal: Terminal;
}

/** What the parts of an evaluation share. */
export interface Examination extends ExaminationOptions {
  config: RunConfig;
  task: TransfusionTask;
  /** Of no more pictures and documents than are looked at. */
  session: TransfusionSession;
  sampler: Sampler;
  sets: PictureSets;
  judge: Judge;
  /** Why there are no drawings of captions to judge; undefined where there are. */
  undrawn?: string;
  /** The chosen pictures of a set, drawn from their captions: once, however often it is asked for. */
  drawingsOf(set: PictureSet): Promise<readonly RgbImage[]>;
}

/** Reads the data of a run, and opens its averaged weights. */
export async function openExamination(
  options: ExaminationOptions,
  backend: Backend,
  judge: Judge,
): Promise<Examination & { dispose(): void }> {
  const { run, loaded, count, terminal } = options;
  // The codec of the run has the scale of its latents; those that were kept are not needed for so few pictures.
  const config = { ...loaded.state.config, data: { ...loaded.state.config.data, latents: null } };
  const cacheFolder = join(run, '..', '..', '.cache', 'data');
  const { task } = await prepareRun(config, { cacheFolder, terminal, resume: loaded });
  const sets = pictureSets(task, count);
  const { step } = loaded.state;
  const part = partOf(task, sets);
  const total = part.examples.length + picturesOfTheirOwn(part.documents, part.examples).length;
  const session = await withBar(terminal, 'encode', (update) =>
    openTransfusionSession({
      ...{ task: part, backend, signal: terminal.signal },
      resume: { step, values: loaded.values },
      // Pixels are as they are.
      onProgress: task.codec.config.kind === 'pixels' ? undefined : (done) => update(done, total),
    }),
  );
  const sampler = sessionSampler(session);
  const drawings = new Map<PictureSet, readonly RgbImage[]>();
  return {
    ...options,
    ...{ config, task, session, sampler, sets, judge, undrawn: whyUndrawn(task, sets) },
    async drawingsOf(set) {
      const known = drawings.get(set);
      if (known) return known;
      const drawn = await drawPictures({ ...options, sampler }, set.chosen, options.image, `draw ${set.words}`);
      drawings.set(set, drawn);
      return drawn;
    },
    dispose() {
      sampler.dispose();
      session.dispose();
    },
  };
}

function whyUndrawn({ pipeline }: TransfusionTask, { heldOut, train }: PictureSets): string | undefined {
  if (pipeline.model.images === 'none') return 'the model has no images';
  return heldOut.length === 0 && !train ? 'no picture has a caption of its own' : undefined;
}

/** The task with the pictures and documents that a session needs latents of, each told where it belongs. */
function partOf(task: TransfusionTask, { heldOut, train, documents }: PictureSets): TransfusionTask {
  const split = <One extends object>(some: readonly One[], name: 'train' | 'heldOut') =>
    some.map((one) => ({ ...one, split: name }));
  const uncaptioned = spread(
    task.examples.filter(({ caption }) => caption === undefined),
    LOOKED_AT,
  );
  const trained = train ? spread(train.chosen, LOOKED_AT) : uncaptioned;
  return {
    ...task,
    config: { ...task.config, data: { ...task.config.data, views: 0 } },
    examples: [
      ...split(trained, 'train'),
      ...split(
        heldOut.flatMap(({ chosen }) => chosen),
        'heldOut',
      ),
    ],
    documents: [
      ...split(spread(documents.train, LOOKED_AT), 'train'),
      ...split(spread(documents.heldOut, LOOKED_AT), 'heldOut'),
    ],
  };
}

/** Draws captions, with a progress line. */
export function drawPictures(
  { sampler, seed, terminal }: Pick<Examination, 'sampler' | 'seed' | 'terminal'>,
  examples: readonly Example[],
  image: ImageSamplingOptions,
  label: string,
): Promise<RgbImage[]> {
  return withBar(terminal, label, (update) =>
    drawExamples(sampler, examples, {
      ...image,
      ...{ seed, signal: terminal.signal },
      onStep: ({ step, steps }) => update(step, steps),
    }),
  );
}

/** A progress line whose total is known when work has begun. */
export async function withBar<Result>(
  { signal }: Pick<Terminal, 'signal'>,
  label: string,
  work: (update: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  let bar: Progress | undefined;
  signal.throwIfAborted();
  try {
    return await work((done, total) => {
      bar ??= createProgress({ label, total });
      bar.update(done);
    });
  } finally {
    bar?.stop();
  }
}
