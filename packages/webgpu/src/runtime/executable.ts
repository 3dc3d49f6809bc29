/** @file A loaded program: everything a run needs exists; a run writes inputs, replays dispatches and reads outputs. */
import {
  BackendError,
  type Executable,
  type HostArray,
  type ProfiledRun,
  type Program,
  TransfusionError,
} from '@transfusion/tensor';
import type { WebGpuDeviceBuffer } from './device-buffer.js';
import type { Faults } from './faults.js';
import { profileDispatches } from './profile.js';
import type { ProgramMemory } from './program-memory.js';
import type { ReadbackRing } from './readback.js';

/** A dispatch ready to be encoded. */
export interface PreparedDispatch {
  /** The kernel it belongs to, and what it is, for profiles. */
  kernel: number;
  label: string;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: [number, number, number];
}

export class WebGpuExecutable implements Executable {
  readonly #program: Program;
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
    this.#states = options.states;
    this.#device = options.device;
    this.#faults = options.faults;
    this.#memory = options.memory;
    this.#dispatches = options.dispatches;
    this.#outputs = options.outputs;
  }

  /** Everything up to the submission happens before this returns, so that runs keep the order of the calls. */
  async run(inputs: HostArray[]): Promise<ArrayBuffer[]> {
    this.#writeInputs(inputs);
    const encoder = this.#device.createCommandEncoder();
    this.#encode(encoder.beginComputePass());
    return await this.#finish(encoder);
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
    if (this.#disposed) {
      throw new BackendError({
        code: 'BACKEND_DISPOSED',
        message: `program '${this.#program.name}' was run after dispose()`,
        fix: 'load the program again',
      });
    }
    for (const state of this.#states) state.gpu;
    const expected = this.#memory.inputs.map(({ bytes }) => bytes / 4);
    const given = inputs.map((data) => data.length);
    if (given.length !== expected.length || given.some((length, index) => length !== expected[index])) {
      throw new TransfusionError({
        code: 'PROGRAM_INPUT_MISMATCH',
        message: `run() of '${this.#program.name}': inputs of [${given}] elements were given, the program takes [${expected}]`,
        fix: 'give one array per input, of exactly its number of elements',
      });
    }
  }

  #encode(pass: GPUComputePassEncoder): void {
    let current: GPUComputePipeline | undefined;
    for (const { pipeline, bindGroup, workgroups } of this.#dispatches) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
  }
}
