/** @file How long dispatches take: by the device's own clock where it has one, else by waiting for them. */
import { captureFault } from '../runtime/error-scopes.js';
import { errorFromGpu } from '../runtime/faults.js';
import type { DeviceMemory } from '../runtime/memory.js';
import type { PreparedDispatch } from '../runtime/prepared-dispatch.js';
import { USAGE } from '../runtime/readback.js';

// Values of GPUBufferUsage and GPUMapMode, which are no globals in Node.
const QUERY_RESOLVE = 0x200;
const MAP_READ = 0x1;
const TIMES_BYTES = 16;

export type TimedDispatch = Pick<PreparedDispatch, 'pipeline' | 'bindGroup' | 'workgroups'>;

export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #memory: DeviceMemory;
  readonly #clock: { querySet: GPUQuerySet; resolved: GPUBuffer; staging: GPUBuffer } | undefined;

  constructor(device: GPUDevice, memory: DeviceMemory) {
    this.#device = device;
    this.#memory = memory;
    if (!device.features.has('timestamp-query')) return;
    this.#clock = {
      querySet: device.createQuerySet({ type: 'timestamp', count: 2 }),
      resolved: memory.create('tuning times', TIMES_BYTES, QUERY_RESOLVE | USAGE.copySource),
      staging: memory.create('tuning times', TIMES_BYTES, USAGE.mapRead | USAGE.copyTarget),
    };
  }

  /**
   * Seconds of one of `repeats` runs of the dispatches in a row. Clocks are coarse: many repeats tell more.
   * @throws what the device reports.
   */
  async seconds(dispatches: readonly TimedDispatch[], repeats: number): Promise<number> {
    const { value: start, fault } = captureFault(this.#device, () => this.#submit(dispatches, repeats));
    const byDevice = await this.#wait();
    const byWaiting = (performance.now() - start) / 1000;
    const error = await fault;
    if (error) throw errorFromGpu(error, 'measuring a kernel');
    return (byDevice > 0 ? byDevice : byWaiting) / repeats;
  }

  dispose(): void {
    this.#clock?.querySet.destroy();
    if (this.#clock) for (const buffer of [this.#clock.resolved, this.#clock.staging]) this.#memory.destroy(buffer);
  }

  #submit(dispatches: readonly TimedDispatch[], repeats: number): number {
    const encoder = this.#device.createCommandEncoder();
    const timestampWrites = this.#clock && {
      querySet: this.#clock.querySet,
      beginningOfPassWriteIndex: 0,
      endOfPassWriteIndex: 1,
    };
    const pass = encoder.beginComputePass({ timestampWrites });
    for (let repeat = 0; repeat < repeats; repeat++) encodeDispatches(pass, dispatches);
    pass.end();
    if (this.#clock) {
      const { querySet, resolved, staging } = this.#clock;
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, TIMES_BYTES);
    }
    const start = performance.now();
    this.#device.queue.submit([encoder.finish()]);
    return start;
  }

  /** Waits for what was submitted; its seconds by the device's clock, 0 without one. */
  async #wait(): Promise<number> {
    if (!this.#clock) {
      await this.#device.queue.onSubmittedWorkDone();
      return 0;
    }
    const { staging } = this.#clock;
    await staging.mapAsync(MAP_READ);
    const [begin, end] = new BigUint64Array(staging.getMappedRange());
    const seconds = Number(end - begin) / 1e9;
    staging.unmap();
    return seconds;
  }
}

export function encodeDispatches(pass: GPUComputePassEncoder, dispatches: readonly TimedDispatch[]): void {
  for (const { pipeline, bindGroup, workgroups } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  }
}
