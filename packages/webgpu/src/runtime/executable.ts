/** @file A loaded program: everything a run needs exists; a run writes inputs, replays dispatches and reads outputs. */
import { TransfusionError } from '@transfusion/core';
import {
  checkRunInputs,
  type Executable,
  type HostArray,
  inputsOf,
  type ProfiledRun,
  type Program,
  programDisposed,
  type RunMarks,
} from '@transfusion/tensor';
import type { WebGpuDeviceBuffer } from './device-buffer.js';
import type { Faults } from './faults.js';
import type { PreparedDispatch } from './prepared-dispatch.js';
import { profileDispatches } from './profile.js';
import type { ProgramMemory } from './program-memory.js';
import type { ReadbackRing } from './readback.js';

export class WebGpuExecutable implements Executable {
  readonly #program: Program;
  /** Its inputs, by index. */
  readonly #takes: Program['buffers'];
  readonly #states: WebGpuDeviceBuffer[];
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #memory: ProgramMemory;
  readonly #dispatches: PreparedDispatch[];
  /** Absent where the program has no outputs. */
  readonly #outputs: ReadbackRing | undefined;
  #disposed = false;

  constructor(options: {
    program: Program;
    states: WebGpuDeviceBuffer[];
    device: GPUDevice;
    faults: Faults;
    memory: ProgramMemory;
    dispatches: PreparedDispatch[];
    outputs: ReadbackRing | undefined;
  }) {
    this.#program = options.program;
    this.#takes = inputsOf(options.program);
    this.#states = options.states;
    this.#device = options.device;
    this.#faults = options.faults;
    this.#memory = options.memory;
    this.#dispatches = options.dispatches;
    this.#outputs = options.outputs;
  }

  /** Everything up to the submission happens before this returns, so that runs keep the order of the calls. */
  async run(inputs: HostArray[], marks?: RunMarks): Promise<ArrayBuffer[]> {
    this.#writeInputs(inputs);
    const begin = marks ? this.#submitMarked(marks) : 0;
    const encoder = this.#device.createCommandEncoder();
    this.#encode(encoder.beginComputePass(), begin, this.#dispatches.length);
    return await this.#finish(encoder);
  }

  /** Submits the parts up to the marks, and gives the first dispatch behind them. Units keep the order of their first kernels. */
  #submitMarked({ after, reached }: RunMarks): number {
    let begin = 0;
    for (const [mark, position] of after.entries()) {
      let end = begin;
      while (end < this.#dispatches.length && this.#dispatches[end].kernel <= position) end++;
      const encoder = this.#device.createCommandEncoder();
      this.#encode(encoder.beginComputePass(), begin, end);
      this.#device.queue.submit([encoder.finish()]);
      begin = end;
      reached(mark);
    }
    return begin;
  }

  async profile(inputs: HostArray[]): Promise<ProfiledRun> {
    this.#writeInputs(inputs);
    const { spans, clock } = await profileDispatches(this.#device, this.#dispatches);
    return { outputs: await this.#finish(this.#device.createCommandEncoder()), spans, clock };
  }

  #writeInputs(inputs: HostArray[]): void {
    this.#check(inputs);
    inputs.forEach((data, index) => {
      const { gpu, byteOffset } = this.#memory.inputs[index];
      this.#device.queue.writeBuffer(gpu, byteOffset, data as Float32Array<ArrayBuffer>);
    });
  }

  /** Submits what was encoded and gives the outputs' contents. */
  async #finish(encoder: GPUCommandEncoder): Promise<ArrayBuffer[]> {
    const read = this.#outputs?.encode(encoder);
    this.#device.queue.submit([encoder.finish()]);
    try {
      const contents = read ? await read() : [];
      if (!read) await this.#device.queue.onSubmittedWorkDone();
      this.#faults.check();
      return contents;
    } catch (error) {
      if (TransfusionError.isInstance(error)) throw error;
      throw await this.#faults.explain(error, `program '${this.#program.name}'`);
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#memory.destroy();
    this.#outputs?.destroy();
  }

  #check(inputs: HostArray[]): void {
    this.#faults.check();
    if (this.#disposed) throw programDisposed(this.#program.name);
    for (const state of this.#states) state.range;
    checkRunInputs(this.#program.name, this.#takes, inputs);
  }

  #encode(pass: GPUComputePassEncoder, begin: number, end: number): void {
    let current: GPUComputePipeline | undefined;
    for (let i = begin; i < end; i++) {
      const { pipeline, bindGroup, workgroups } = this.#dispatches[i];
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
  }
}
