/** @file One kernel by itself on the device, with memory of its own: runs it in different ways and compares their results. */
import { bufferBytes, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { Dispatch, LoweringContext, LoweringDevice } from '../lowering.js';
import { captureFault, withErrorScopes } from '../runtime/error-scopes.js';
import { errorFromGpu } from '../runtime/faults.js';
import { kernelContext, type ScratchRange, scratchEnd } from '../runtime/kernel-context.js';
import type { DeviceMemory } from '../runtime/memory.js';
import type { BufferRange } from '../runtime/memory-plan.js';
import type { PipelineCache } from '../runtime/pipelines.js';
import { ReadbackRing, USAGE } from '../runtime/readback.js';
import { compareWgsl, countWgsl, fillWgsl, poisonWgsl, SAMPLE_WORKGROUPS, sumTolerance } from './sample-data.js';
import { encodeDispatches, type TimedDispatch } from './stopwatch.js';

/** What measuring needs of a backend. Pipelines are kept apart from those of programs: most lose. */
export interface BenchTools {
  device: GPUDevice;
  limits: DeviceLimits;
  lowering: LoweringDevice;
  memory: DeviceMemory;
  pipelines: PipelineCache;
}

/** A way to compute something. */
export interface Way {
  /** Tells it from the others; what a tuning remembers. */
  name: string;
  lower(context: LoweringContext): Dispatch[];
}

/** What a kernel reads of a program's buffers and what it computes, to run it on made-up numbers. */
export interface Benched {
  program: Pick<Program, 'buffers'>;
  /** Buffers of integers are 0, or count up from `first` again and again. */
  inputs: readonly { buffer: number; counting?: { first: number; period: number } }[];
  /** `terms`: how many products each element is a sum of. */
  outputs: readonly { buffer: number; terms: number }[];
  /** The part of the elements that may differ by more than rounding. */
  toleratedPart: number;
}

/** A way that compiles, before memory. */
export interface CompiledWay {
  name: string;
  dispatches: { dispatch: Dispatch; pipeline: GPUComputePipeline }[];
  scratch: ScratchRange[];
}

/** @throws what lowering and compiling throw, and OutOfMemoryError where it needs more memory than can be bound. */
export async function compileWay(
  { name, lower }: Way,
  program: Pick<Program, 'buffers'>,
  tools: BenchTools,
): Promise<CompiledWay> {
  const { context, scratch } = kernelContext({ program, ...tools });
  const lowered = lower(context);
  if (scratch.some(({ bytes }) => bytes > tools.limits.maxStorageBufferBindingSize)) {
    throw new Error('its scratch memory is more than a kernel can bind');
  }
  const dispatches = await Promise.all(
    lowered.map(async (dispatch) => {
      const { label, code, bindings } = dispatch;
      return { dispatch, pipeline: await tools.pipelines.get({ label, code, bindingCount: bindings.length }) };
    }),
  );
  return { name, dispatches, scratch };
}

export class KernelBench {
  readonly #benched: Benched;
  readonly #tools: BenchTools;
  readonly #buffers = new Map<number, BufferRange>();
  /** The first way's results, by output. */
  readonly #expected = new Map<number, BufferRange>();
  #scratch!: BufferRange;
  #differences!: BufferRange;

  /**
   * Allocates the buffers and fills all that is read.
   * @throws OutOfMemoryError before anything is allocated, where it does not fit.
   */
  static async open(benched: Benched, ways: readonly CompiledWay[], tools: BenchTools): Promise<KernelBench> {
    const bench = new KernelBench(benched, tools);
    const scratchBytes = Math.max(4, ...ways.map(({ scratch }) => scratchEnd(scratch)));
    const [inputs, outputs] = [benched.inputs, benched.outputs].map((all) => all.map(({ buffer }) => buffer));
    const buffers = new Set([...inputs, ...outputs]);
    const bytes = (buffer: number) => bufferBytes(benched.program.buffers[buffer]);
    const requests = [...buffers, ...outputs].map((buffer) => ({ name: 'an operand', bytes: bytes(buffer) }));
    tools.memory.require('measuring a kernel', [...requests, { name: 'scratch memory', bytes: scratchBytes }]);
    await withErrorScopes(tools.device, 'measuring a kernel', () => {
      for (const buffer of buffers) bench.#buffers.set(buffer, bench.#create(bytes(buffer)));
      for (const buffer of outputs) bench.#expected.set(buffer, bench.#create(bytes(buffer)));
      bench.#scratch = bench.#create(scratchBytes);
      bench.#differences = bench.#create(4 * outputs.length);
      return { value: undefined, free: () => bench.dispose() };
    });
    try {
      for (const input of benched.inputs) await bench.#fill(input);
    } catch (error) {
      bench.dispose();
      throw error;
    }
    return bench;
  }

  private constructor(benched: Benched, tools: BenchTools) {
    this.#benched = benched;
    this.#tools = tools;
  }

  bind({ dispatches, scratch }: CompiledWay): TimedDispatch[] {
    return dispatches.map(({ dispatch, pipeline }) => ({
      pipeline,
      workgroups: dispatch.workgroups,
      bindGroup: this.#tools.pipelines.bindGroup({
        label: dispatch.label,
        ranges: dispatch.bindings.map((binding) => {
          if ('buffer' in binding) return this.#buffers.get(binding.buffer)!;
          if ('scratch' in binding) return { ...this.#scratch, ...scratch[binding.scratch] };
          throw new Error(`${dispatch.label} binds more than the kernel's buffers and scratch memory`);
        }),
      }),
    }));
  }

  /** Runs the way that the others are compared with. */
  async runFirst(way: CompiledWay): Promise<void> {
    const poison = await this.#poison();
    await this.#submit(() => [...poison, ...this.bind(way)], {
      after: (encoder) => {
        for (const [buffer, expected] of this.#expected) {
          encoder.copyBufferToBuffer(this.#buffers.get(buffer)!.gpu, 0, expected.gpu, 0, expected.bytes);
        }
      },
    });
  }

  /** The part of the elements in which the result is another than that of the first; of several outputs, the largest part. */
  async differingPart(way: CompiledWay): Promise<number> {
    const { outputs, program } = this.#benched;
    const poison = await this.#poison();
    const compare = await Promise.all(
      outputs.map(({ buffer, terms }, position) => {
        const type = this.#type(buffer);
        const ranges = [this.#buffers.get(buffer)!, this.#expected.get(buffer)!, this.#differences];
        return this.#helper(compareWgsl({ type, tolerance: sumTolerance(type, terms), count: position }), ranges);
      }),
    );
    const source = { source: this.#differences.gpu, byteOffset: 0, bytes: this.#differences.bytes };
    const ring = new ReadbackRing({ memory: this.#tools.memory, name: 'tuning', ranges: [source], slots: 0 });
    try {
      let read: (() => Promise<ArrayBuffer[]>) | undefined;
      await this.#submit(() => [...poison, ...this.bind(way), ...compare], {
        before: (encoder) => encoder.clearBuffer(this.#differences.gpu),
        after: (encoder) => (read = ring.encode(encoder)),
      });
      const [contents] = await read!();
      const found = new Uint32Array(contents);
      return Math.max(...outputs.map(({ buffer }, i) => found[i] / program.buffers[buffer].elements));
    } finally {
      ring.destroy();
    }
  }

  dispose(): void {
    const ranges = [...this.#buffers.values(), ...this.#expected.values(), this.#scratch, this.#differences];
    for (const range of ranges) if (range) this.#tools.memory.destroy(range.gpu);
  }

  #create(bytes: number): BufferRange {
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    return { gpu: this.#tools.memory.create('tuning', bytes, usage), byteOffset: 0, bytes };
  }

  /** What an output is stored as. */
  #type(output: number): 'f32' | 'f16' {
    return this.#benched.program.buffers[output].dtype === 'f16' ? 'f16' : 'f32';
  }

  #poison(): Promise<TimedDispatch[]> {
    const outputs = this.#benched.outputs.map(({ buffer }) => this.#buffers.get(buffer)!);
    return Promise.all(outputs.map((output) => this.#helper(poisonWgsl(), [output])));
  }

  async #fill({ buffer, counting }: Benched['inputs'][number]): Promise<void> {
    const { dtype } = this.#benched.program.buffers[buffer];
    if (dtype === 'i32' && !counting) return;
    const seed = [...this.#buffers.keys()].indexOf(buffer);
    const code = dtype === 'i32' ? countWgsl(counting!) : fillWgsl(dtype, seed);
    const fill = await this.#helper(code, [this.#buffers.get(buffer)!]);
    await this.#submit(() => [fill]);
  }

  async #helper(code: string, ranges: BufferRange[]): Promise<TimedDispatch> {
    const { pipelines } = this.#tools;
    const pipeline = await pipelines.get({ label: 'tuning', code, bindingCount: ranges.length });
    const bindGroup = pipelines.bindGroup({ label: 'tuning', ranges });
    return { pipeline, bindGroup, workgroups: [SAMPLE_WORKGROUPS, 1, 1] };
  }

  /** @throws what the device reports of the dispatches. */
  async #submit(
    dispatches: () => TimedDispatch[],
    around: { before?: (encoder: GPUCommandEncoder) => void; after?: (encoder: GPUCommandEncoder) => void } = {},
  ): Promise<void> {
    const { device } = this.#tools;
    const { fault } = captureFault(device, () => {
      const encoder = device.createCommandEncoder();
      around.before?.(encoder);
      const pass = encoder.beginComputePass();
      encodeDispatches(pass, dispatches());
      pass.end();
      around.after?.(encoder);
      device.queue.submit([encoder.finish()]);
    });
    const error = await fault;
    if (error) throw errorFromGpu(error, 'measuring a kernel');
  }
}
