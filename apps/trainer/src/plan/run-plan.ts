/** @file A run on several numbers of ranks, on paper. */
import { type RankMachine, type ScalePlan, type StepNeeds, scalePlan } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import { plannedRun } from './planned-run.js';

const USUAL_RANKS = [1, 8, 16, 32, 64];

export interface PlanOptions {
  /** Each gives a row of the tables; default: those of 1, 8, 16, 32 and 64 that can share a step. */
  ranks?: readonly number[];
  /** Peak of a device, FLOP/s, and which part of it the kernels reach. */
  flops: number;
  efficiency: number;
  /** B/s between ranks, each way; B/s between device and host; s of a message. */
  link: number;
  hostLink: number;
  latency: number;
  /** Bytes. */
  deviceMemory: number;
  binding: number;
  hostMemory?: number;
  /** How parameters and gradients travel. */
  exchange: 'f32' | 'f16';
  /** Who has the moving averages of all parameters, beside their owners. */
  averages: 'first-rank' | 'owners';
  /** Rows of a micro-batch; default: the configuration's. */
  microBatch?: number;
  vocabulary?: number;
  /** Inner steps of DiLoCo. */
  innerSteps: number;
}

export interface PlanResult {
  parameters: number;
  rows: number;
  sequenceLength: number;
  /** Of a step. */
  microBatches: number;
  checkpointActivations: boolean;
  /** Of the run. */
  steps: number;
  innerSteps: number;
  needs: StepNeeds;
  /** With checkpointActivations the other way. */
  otherArenaBytes: number;
  plans: ScalePlan[];
  /** What was assumed. */
  machine: RankMachine;
  exchange: PlanOptions['exchange'];
}

/** @throws as `plannedRun` and `scalePlan` */
export async function planOnRanks(config: RunConfig, options: PlanOptions): Promise<PlanResult> {
  const { checkpointActivations, steps } = config;
  const { microBatch: ownRows, vocabulary, innerSteps, exchange, averages } = options;
  const run = await plannedRun(config, { rows: ownRows, vocabulary });
  const { rows, sequenceLength, microBatches } = run;
  const needs = await run.objectiveWith(checkpointActivations);
  const { arenaBytes: otherArenaBytes } = await run.objectiveWith(!checkpointActivations);
  const machine: RankMachine = {
    flopsPerSecond: options.flops * options.efficiency,
    linkBytesPerSecond: options.link,
    hostBytesPerSecond: options.hostLink,
    latencySeconds: options.latency,
    deviceBytes: options.deviceMemory,
    bindingBytes: options.binding,
    hostBytes: options.hostMemory,
  };
  const shared = {
    ...{ needs, checkpointActivations, microBatches, machine, innerSteps },
    tokensPerMicroBatch: rows * sequenceLength,
    gradientBytes: exchange === 'f16' ? (2 as const) : (4 as const),
    averages,
  };
  const ranks = options.ranks ?? USUAL_RANKS.filter((each) => microBatches % each === 0);
  const plans = ranks.map((ranks) => scalePlan({ ...shared, ranks }));
  const parameters = [...needs.tensors.values()].reduce((sum, elements) => sum + elements, 0);
  return {
    ...{ parameters, rows, sequenceLength, microBatches, checkpointActivations, steps, innerSteps, needs },
    ...{ otherArenaBytes, plans, machine, exchange },
  };
}
