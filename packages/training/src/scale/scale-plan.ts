/** @file A run on ranks, on paper: memory, bytes and time of each number of ranks, and what breaks first. */
import { TransfusionError } from '@transfusion/core';
import { type DilocoCost, dilocoCost } from './diloco.js';
import { exchangeHostBytes, type StepTraffic, stepTraffic } from './exchange.js';
import { type Pressure, pressuresOf } from './pressures.js';
import { type RankMemory, type RankMemoryOptions, rankMemories, STATE_BYTES, totalOf } from './rank-memory.js';
import type { StepNeeds } from './step-needs.js';
import { type Machine, type StepTime, stepTime } from './step-time.js';

/** What a rank is, and how much it holds. */
export interface RankMachine extends Machine {
  /** Of the device's memory. */
  deviceBytes: number;
  /** The largest buffer that the device binds (`maxStorageBufferBindingSize`). */
  bindingBytes: number;
  /** Of the host's memory, for this rank; default: not looked at. */
  hostBytes?: number;
}

export interface ScaleOptions {
  needs: StepNeeds;
  checkpointActivations: boolean;
  /** Of a step, over all ranks. */
  microBatches: number;
  tokensPerMicroBatch: number;
  ranks: number;
  machine: RankMachine;
  /** Of a gradient on its way between ranks: 4, or 2 with `exchange=f16`. */
  gradientBytes: 2 | 4;
  /** Who has the moving averages: see `rankMemories`. */
  averages: RankMemoryOptions['averages'];
  /** Inner steps of DiLoCo, to compare with. */
  innerSteps: number;
}

export interface ScalePlan {
  ranks: number;
  /** Of a step, on each rank. */
  microBatches: number;
  first: RankMemory;
  /** The one that needs most of the others; undefined where there are none. */
  others: RankMemory | undefined;
  traffic: StepTraffic;
  time: StepTime;
  tokensPerSecond: number;
  /** Of the host, while gradients travel. */
  exchangeHostBytes: number;
  /** Of the first rank's host while a checkpoint is saved: parameters, moments and averages of all. */
  savingHostBytes: number;
  diloco: DilocoCost;
  /** Most pressing first. */
  pressures: Pressure[];
}

/** @throws TransfusionError SCALE_BATCH: the ranks cannot share the micro-batches evenly */
export function scalePlan(options: ScaleOptions): ScalePlan {
  const { needs, ranks, machine, tokensPerMicroBatch, innerSteps, gradientBytes, checkpointActivations } = options;
  const { tensors, arenaBytes, flops } = needs;
  const microBatches = options.microBatches / ranks;
  if (!Number.isInteger(microBatches)) throw unevenly(options);
  const [first, ...rest] = rankMemories({
    ...{ tensors, ranks, microBatches, arenaBytes, averages: options.averages },
  });
  const others = rest.reduce<RankMemory | undefined>(
    (most, each) => (most && most.totalBytes >= each.totalBytes ? most : each),
    undefined,
  );
  const exchange = { tensors, ranks, gradientBytes };
  const timed = { ...exchange, machine, flops, microBatches, checkpointActivations };
  const time = stepTime(timed);
  const host = exchangeHostBytes(exchange);
  const plan = {
    ...{ ranks, microBatches, first, others, time },
    traffic: stepTraffic(exchange),
    tokensPerSecond: (options.microBatches * tokensPerMicroBatch) / time.stepSeconds,
    exchangeHostBytes: ranks === 1 ? 0 : host.bytes,
    savingHostBytes: 4 * STATE_BYTES * totalOf(tensors),
    diloco: dilocoCost({ tensors, ranks, innerSteps, microBatches, arenaBytes, ...machine }),
  };
  const elementsReceived = ranks === 1 ? 0 : host.elementsReceived;
  return { ...plan, pressures: pressuresOf({ ...plan, needs, machine, elementsReceived, checkpointActivations }) };
}

function unevenly({ microBatches, ranks }: ScaleOptions): TransfusionError {
  return new TransfusionError({
    code: 'SCALE_BATCH',
    message: `${ranks} ranks cannot share the ${microBatches} micro-batches of a step evenly`,
    fix: `take a number of ranks that divides ${microBatches}, or smaller micro-batches (fewer rows, more of them)`,
  });
}
