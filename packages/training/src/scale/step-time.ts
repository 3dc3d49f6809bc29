/** @file How long a step takes on ranks that share it, from sizes and speeds alone. */
import { type ExchangeOptions, exchangeSeconds } from './exchange.js';
import { STATE_BYTES, totalOf } from './rank-memory.js';

/** What a rank is, and how it is connected. */
export interface Machine {
  /** What the kernels of training reach, not what the maker says: FLOP/s of one rank. */
  flopsPerSecond: number;
  /** Of each rank to the others, each way. */
  linkBytesPerSecond: number;
  /** Between the memory of the device and that of the host, one way at a time. */
  hostBytesPerSecond: number;
  /** Of one message. */
  latencySeconds: number;
}

export interface StepTimeOptions extends ExchangeOptions {
  machine: Machine;
  /** Of one micro-batch: see `stepNeeds`. */
  flops: number;
  /** Of a step, on each rank. */
  microBatches: number;
  /** Whether blocks are computed again in the backward pass. */
  checkpointActivations: boolean;
}

/** Seconds of a step on the busiest rank. */
export interface StepTime {
  computeSeconds: number;
  /** Until all gradients are at their owners, and all parameters back, where nothing is computed meanwhile. */
  gradientSeconds: number;
  parameterSeconds: number;
  /** Of which the copies between device and host alone take so long, hidden behind the link or not. */
  hostCopySeconds: number;
  /** A step without overlap: one after the other. */
  stepSeconds: number;
  /**
   * The least that is possible: gradients travel during the backward pass of the last micro-batch, parameters during the forward pass of
   * the next step's first.
   */
  overlappedStepSeconds: number;
}

/**
 * Compute is FLOPs / (FLOP/s). Buckets are pipelined: while one travels the next is copied, so the slower of link and copies counts.
 * For equal loads, f32 and no latency, what is exposed without overlap is b F / (3 B T) (R - 1) / R of the compute: 2 b P bytes of P
 * parameters against 6 P T FLOPs of T tokens per rank and step.
 */
export function stepTime(options: StepTimeOptions): StepTime {
  const { machine, flops, microBatches, checkpointActivations, tensors, ranks } = options;
  const microBatchSeconds = flops / machine.flopsPerSecond;
  const computeSeconds = microBatches * microBatchSeconds;
  const link = (bytesPerElement: 2 | 4) => exchangeSeconds({ ...options, bytesPerElement }, machine);
  // All gradients leave the device, and all parameters enter it; one rank alone has everything where it is.
  const copy = ranks === 1 ? 0 : (STATE_BYTES * totalOf(tensors)) / machine.hostBytesPerSecond;
  const [gradientSeconds, parameterSeconds] = [
    Math.max(link(options.gradientBytes), copy),
    Math.max(link(STATE_BYTES), copy),
  ];
  // A backward pass is twice a forward pass, and with checkpoints a forward pass more.
  const passes = checkpointActivations ? 4 : 3;
  const exposed =
    Math.max(0, gradientSeconds - (microBatchSeconds * (passes - 1)) / passes) +
    Math.max(0, parameterSeconds - microBatchSeconds / passes);
  return {
    computeSeconds,
    gradientSeconds,
    parameterSeconds,
    hostCopySeconds: 2 * copy,
    stepSeconds: computeSeconds + gradientSeconds + parameterSeconds,
    overlappedStepSeconds: computeSeconds + exposed,
  };
}
