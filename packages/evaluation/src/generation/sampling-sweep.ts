/** @file The same pictures drawn with one setting of sampling after the other, to choose one. */
import type { RgbImage } from '@transfusion/data';
import type { ImageSamplingOptions } from '@transfusion/sampler';

/** What is tried, each with each. */
export interface SamplingGrid {
  guidance: readonly number[];
  steps: readonly number[];
  schedulers: readonly NonNullable<ImageSamplingOptions['scheduler']>[];
}

export type SamplingSetting = Required<Pick<ImageSamplingOptions, 'guidance' | 'steps' | 'scheduler'>>;

export interface SweptSetting<Scores> {
  setting: SamplingSetting;
  scores: Scores;
  /** For all pictures. */
  seconds: number;
}

/** In the order scheduler, steps, guidance, the last one changing first. */
export function samplingSettings({ guidance, steps, schedulers }: SamplingGrid): SamplingSetting[] {
  return schedulers.flatMap((scheduler) =>
    steps.flatMap((count) => guidance.map((weight) => ({ scheduler, steps: count, guidance: weight }))),
  );
}

/**
 * @param options.draw draws the pictures, the same ones in the same order and of the same noise for every setting
 * @param options.value of scores: what is to be high; the first of the best is the best
 * @param options.onSetting called after each setting
 */
export async function sweepSampling<Scores>(options: {
  grid: SamplingGrid;
  draw: (setting: SamplingSetting) => Promise<RgbImage[]>;
  score: (images: readonly RgbImage[]) => Scores | Promise<Scores>;
  value: (scores: Scores) => number;
  onSetting?: (done: number, total: number) => void;
}): Promise<{ swept: SweptSetting<Scores>[]; best: number }> {
  const { grid, draw, score, value, onSetting } = options;
  const settings = samplingSettings(grid);
  const swept: SweptSetting<Scores>[] = [];
  for (const setting of settings) {
    const begun = performance.now();
    const images = await draw(setting);
    const seconds = (performance.now() - begun) / 1000;
    swept.push({ setting, scores: await score(images), seconds });
    onSetting?.(swept.length, settings.length);
  }
  const values = swept.map(({ scores }) => value(scores));
  return { swept, best: values.indexOf(Math.max(...values)) };
}
