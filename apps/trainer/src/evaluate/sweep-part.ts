/** @file Part `sweep`: the same captions drawn with one guidance, number of steps and sampler after the other. */
import {
  type Features,
  placesByFeatures,
  placesByPixels,
  type SamplingGrid,
  type SamplingSetting,
  type SweptSetting,
  sweepSampling,
  textImageAgreement,
} from '@transfusion/evaluation';
import type { ImageSamplingOptions } from '@transfusion/sampler';
import { drawExamples, spread } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import { section } from '../report/evaluation-cards.js';
import { sweepTable } from '../report/sweep-table.js';
import { type Examination, withBar } from './examination.js';
import type { PartResult } from './part.js';
import { galleryOf } from './picture-sets.js';

/** What is tried; the samplers, where nothing is said of them, follow from the model's schedule. */
export type WantedGrid = Omit<SamplingGrid, 'schedulers'> & Partial<Pick<SamplingGrid, 'schedulers'>>;

export const DEFAULT_GRID: WantedGrid = { guidance: [1, 1.5, 2, 3, 5], steps: [10, 25] };

/** With the model's own sampler first, and others that the schedule has. */
export function completeGrid(
  grid: WantedGrid,
  { sampling, diffusion }: Pick<RunConfig, 'sampling' | 'diffusion'>,
): SamplingGrid {
  const others = diffusion.schedule === 'flow' ? (['heun', 'euler'] as const) : (['ddim', 'dpmpp_2m'] as const);
  return { ...grid, schedulers: grid.schedulers ?? [...new Set([sampling.scheduler, ...others])] };
}

export interface SweepScores {
  top1: number;
  top5: number;
  agreement?: number;
}

export type Swept = SweptSetting<SweepScores>;

export async function sweepPart(examination: Examination, grid: SamplingGrid): Promise<PartResult | string> {
  const { sets, undrawn, sampler, seed, terminal, sweepCount, image, config } = examination;
  if (undrawn) return undrawn;
  if (config.model.images === 'tokens') return 'images are tokens, which are not denoised in steps';
  const set = sets.heldOut[0] ?? sets.train!;
  const examples = spread(set.chosen, sweepCount);
  const score = await scorer(examination, examples);
  const total = grid.guidance.length * grid.steps.length * grid.schedulers.length;
  const { swept, best } = await withBar(terminal, 'sweep', (update) => {
    update(0, total);
    return sweepSampling<SweepScores>({
      grid,
      draw: (setting) =>
        drawExamples(sampler, examples, { ...suitedTo(setting, image), seed, signal: terminal.signal }),
      score,
      // The agreement decides between equals.
      value: ({ top1, top5, agreement = 0 }) => top1 + top5 + 1e-6 * agreement,
      onSetting: (done) => update(done, total),
    });
  });
  const { setting, scores } = swept[best];
  const text = `${examples.length} captions (${set.words}) drawn with each setting, of the same noise: how often the own picture is the nearest, or among the five nearest, ${examination.judge.features ? 'by features' : 'by pixels'}. Best, of both shares together: ${describe(setting)}. With so few pictures a share has a standard error of up to ${(0.5 / Math.sqrt(examples.length)).toFixed(2)}.`;
  return {
    scores: [],
    html: section('Sampling', text, [{ html: sweepTable(swept, best) }]),
    leftOut: [],
    details: { set: set.id, pictures: examples.length, best: { ...setting, ...scores }, swept },
  };
}

export function describe({ scheduler, steps, guidance }: SamplingSetting): string {
  return `${scheduler}, ${steps} steps, guidance ${guidance}`;
}

/** The other options, as far as they go with a setting: those of one sampler are left to each's defaults. */
export function suitedTo(
  { guidance, steps, scheduler }: SamplingSetting,
  image: ImageSamplingOptions,
): ImageSamplingOptions {
  const { negativePrompt, guidanceInterval, guidanceRescale, guidanceRenorm } = image;
  // Without guidance they would do nothing, which is refused.
  const guided = guidance === 1 ? {} : { negativePrompt, guidanceInterval, guidanceRescale, guidanceRenorm };
  return { ...guided, guidance, steps, scheduler };
}

async function scorer({ sets, judge, terminal }: Examination, examples: ReturnType<typeof galleryOf>['pictures']) {
  const { signal } = terminal;
  const set = sets.heldOut[0] ?? sets.train!;
  const gallery = galleryOf(sets, set);
  const looking = {
    among: (query: number) => gallery.among(examples[query]),
    right: { own: (query: number, one: number) => gallery.pictures[one].caption === examples[query].caption },
  };
  const { features, pair } = judge;
  const candidates = features && (await features.real(gallery.pictures, { signal }));
  const texts = pair && (await pair.texts(examples.map(({ caption = '' }) => caption)));
  return async (images: Parameters<typeof placesByPixels>[0]['queries']): Promise<SweepScores> => {
    const drawn = features && (await features.drawn(images, { signal }));
    const { own } =
      drawn && candidates
        ? placesByFeatures({ ...looking, queries: drawn, candidates })
        : placesByPixels({ ...looking, queries: images, candidates: gallery.pictures });
    const paired: Features | undefined =
      pair && (pair.pictures === features ? drawn : await pair.pictures.drawn(images));
    return {
      ...{ top1: own.top1, top5: own.top5 },
      ...(paired && texts ? { agreement: textImageAgreement({ images: paired, texts }).score } : {}),
    };
  };
}
