/** @file When each dispatch of a program ran: by the device's own clock where it has one, else by waiting for each. */
import type { KernelSpan } from '@transfusion/tensor';
import type { PreparedDispatch } from './prepared-dispatch.js';

interface DispatchTimes {
  spans: KernelSpan[];
  clock: string;
}

/** Runs the dispatches in order, each one alone. */
export function profileDispatches(device: GPUDevice, dispatches: readonly PreparedDispatch[]): Promise<DispatchTimes> {
  return device.features.has('timestamp-query') ? byTimestamps(device, dispatches) : byWaiting(device, dispatches);
}

/** WebGPU allows this many queries in a set. */
const MOST_QUERIES = 4096;

// Values of GPUBufferUsage and GPUMapMode, which are no globals in Node.
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const QUERY_RESOLVE = 0x200;
const READ = 0x1;

async function byTimestamps(device: GPUDevice, dispatches: readonly PreparedDispatch[]): Promise<DispatchTimes> {
  const times: bigint[] = [];
  for (let first = 0; first < dispatches.length; first += MOST_QUERIES / 2) {
    const some = dispatches.slice(first, first + MOST_QUERIES / 2);
    const bytes = 16 * some.length;
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * some.length });
    const resolved = device.createBuffer({ size: bytes, usage: QUERY_RESOLVE | COPY_SRC });
    const staging = device.createBuffer({ size: bytes, usage: COPY_DST | MAP_READ });
    const encoder = device.createCommandEncoder();
    some.forEach((dispatch, i) => {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      encode(encoder.beginComputePass({ timestampWrites }), dispatch);
    });
    encoder.resolveQuerySet(querySet, 0, 2 * some.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(READ);
      times.push(...new BigUint64Array(staging.getMappedRange()));
    } finally {
      querySet.destroy();
      resolved.destroy();
      staging.destroy();
    }
  }
  const seconds = times.map((time) => Number(time - times[0]) / 1e9);
  const spans = dispatches.map((dispatch, i) => spanOf(dispatch, seconds[2 * i], seconds[2 * i + 1]));
  return { spans, clock: "the device's timestamps" };
}

async function byWaiting(device: GPUDevice, dispatches: readonly PreparedDispatch[]): Promise<DispatchTimes> {
  const spans: KernelSpan[] = [];
  const origin = performance.now();
  for (const dispatch of dispatches) {
    const start = (performance.now() - origin) / 1000;
    const encoder = device.createCommandEncoder();
    encode(encoder.beginComputePass(), dispatch);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    spans.push(spanOf(dispatch, start, (performance.now() - origin) / 1000));
  }
  return { spans, clock: 'wall clock, every dispatch waited for' };
}

function spanOf({ kernel, label }: PreparedDispatch, start: number, end: number): KernelSpan {
  return { kernel, part: label, start, end: Math.max(start, end) };
}

function encode(pass: GPUComputePassEncoder, { pipeline, bindGroup, workgroups }: PreparedDispatch): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...workgroups);
  pass.end();
}
