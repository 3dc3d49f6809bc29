/** @file How the time of a training step grows with tokens, width and depth, and what it is spent on. */
import { type Backend, type ProfileRow, summarise } from '@transfusion/tensor';
import { trainStepOptions } from '../rows/train-step/ours.js';
import { LAYOUT, LENGTH, modelOf, trainStepFlops, trainStepProblemOf } from '../rows/train-step/problem.js';
import { openTrainingStep, type TrainingStep } from '../rows/training-step.js';
import { median } from '../statistics.js';
import { type Axis, BASE, type ScalingPoint, type StepSize, scalingPoints, sizeKey } from './sizes.js';

/** What a step spends its time on. */
export const PARTS = ['products', 'attention', 'optimizer', 'rest'] as const;
export type Part = (typeof PARTS)[number];

const PART_OF: Record<ProfileRow['family'], Part> = {
  product: 'products',
  attention: 'attention',
  optimizer: 'optimizer',
  other: 'rest',
};

export interface ScalingRow {
  axis: Axis;
  tokens: number;
  channels: number;
  layers: number;
  gflop: number;
  /** Median of interleaved repeats. */
  milliseconds: number;
  gflopPerSecond: number;
  /** Time over what it would be at the speed of the base size: 1 on the straight line, above it where slower. */
  ofLine: number;
  /** Of the time of all kernels. */
  shares: Record<Part, number>;
}

interface MeasuredSize {
  gflop: number;
  seconds: number;
  shares: Record<Part, number>;
}

const PROFILED_RUNS = 3;

export async function measureScaling(options: {
  backend: Backend;
  repeats: number;
  quick: boolean;
  log: (line: string) => void;
}): Promise<ScalingRow[]> {
  const { backend, repeats, quick, log } = options;
  const points = scalingPoints(quick);
  const sizes = new Map<string, StepSize>(points.map((point) => [sizeKey(point), point]));
  const steps = new Map<string, { gflop: number; step: TrainingStep; seconds: number[] }>();
  for (const [key, { rows, channels, layers }] of sizes) {
    log(`scaling on ${backend.name}: readying ${rows * LENGTH} tokens, d ${channels}, ${layers} layers`);
    const problem = trainStepProblemOf({ rows, layout: LAYOUT, model: modelOf({ channels, layers }) });
    const step = await openTrainingStep(trainStepOptions(backend, problem));
    await step.run(1);
    steps.set(key, { gflop: trainStepFlops(problem) / 1e9, step, seconds: [] });
  }
  log(`scaling on ${backend.name}: measuring`);
  for (let round = 0; round < repeats; round++) {
    for (const { step, seconds } of steps.values()) {
      const start = performance.now();
      await step.run(round + 2);
      seconds.push((performance.now() - start) / 1000);
    }
  }
  const measured = new Map<string, MeasuredSize>();
  for (const [key, { gflop, step, seconds }] of steps) {
    measured.set(key, { gflop, seconds: median(seconds), shares: await sharesOf(step) });
  }
  return points.map((point) => scalingRow(point, measured.get(sizeKey(point))!, measured.get(sizeKey(BASE))!));
}

export function scalingRow(point: ScalingPoint, size: MeasuredSize, base: MeasuredSize): ScalingRow {
  const { axis, rows, channels, layers } = point;
  const { gflop, seconds, shares } = size;
  return {
    axis,
    tokens: rows * LENGTH,
    channels,
    layers,
    gflop,
    milliseconds: seconds * 1000,
    gflopPerSecond: gflop / seconds,
    ofLine: seconds / gflop / (base.seconds / base.gflop),
    shares,
  };
}

async function sharesOf(step: TrainingStep): Promise<Record<Part, number>> {
  const { program, runs } = await step.profile(PROFILED_RUNS);
  return partShares(summarise(program, runs));
}

export function partShares(rows: readonly Pick<ProfileRow, 'family' | 'share'>[]): Record<Part, number> {
  const shares: Record<Part, number> = { products: 0, attention: 0, optimizer: 0, rest: 0 };
  for (const { family, share } of rows) shares[PART_OF[family]] += share;
  return shares;
}
