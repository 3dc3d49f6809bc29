/** @file One product by itself on the device, with memory of its own: runs variants of it and compares their results. */
import { bufferBytes, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { Product } from '../kernels/products/product.js';
import type { Variant } from '../kernels/products/variant.js';
import type { Dispatch, LoweringDevice } from '../lowering.js';
import { captureFault, withErrorScopes } from '../runtime/error-scopes.js';
import { errorFromGpu } from '../runtime/faults.js';
import { kernelContext, type ScratchRange, scratchEnd } from '../runtime/kernel-context.js';
import type { DeviceMemory } from '../runtime/memory.js';
import type { PipelineCache } from '../runtime/pipelines.js';
import type { BufferRange } from '../runtime/program-memory.js';
import { ReadbackRing, USAGE } from '../runtime/readback.js';
import { compareWgsl, fillWgsl, poisonWgsl, SAMPLE_WORKGROUPS, sumTolerance } from './sample-data.js';
import { encodeDispatches, type TimedDispatch } from './stopwatch.js';

/** What measuring needs of a backend. Pipelines are kept apart from those of programs: most lose. */
export interface BenchTools {
  device: GPUDevice;
  limits: DeviceLimits;
  lowering: LoweringDevice;
  memory: DeviceMemory;
  pipelines: PipelineCache;
}

/** A product of a program that is to be loaded. */
export interface BenchedProduct {
  product: Product;
  program: Pick<Program, 'buffers'>;
}

/** A variant that compiles, before memory. */
export interface CompiledVariant {
  name: string;
  dispatches: { dispatch: Dispatch; pipeline: GPUComputePipeline }[];
  scratch: ScratchRange[];
}

/** @throws what lowering and compiling throw, and OutOfMemoryError where it needs more memory than can be bound. */
export async function compileVariant(
  { name, lower }: Variant,
  { product, program }: BenchedProduct,
  tools: BenchTools,
): Promise<CompiledVariant> {
  const { context, scratch } = kernelContext({ program, ...tools });
  const lowered = lower(product, context);
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

export class ProductBench {
  readonly #benched: BenchedProduct;
  readonly #tools: BenchTools;
  readonly #buffers = new Map<number, BufferRange>();
  #scratch!: BufferRange;
  #expected!: BufferRange;
  #differences!: BufferRange;

  /**
   * Allocates the buffers and fills all that the product reads.
   * @throws OutOfMemoryError before anything is allocated, where it does not fit.
   */
  static async open(
    benched: BenchedProduct,
    variants: readonly CompiledVariant[],
    tools: BenchTools,
  ): Promise<ProductBench> {
    const bench = new ProductBench(benched, tools);
    const scratchBytes = Math.max(4, ...variants.map(({ scratch }) => scratchEnd(scratch)));
    const { a, b, output, epilogue } = benched.product;
    const buffers = new Set([a.buffer, b.buffer, output, ...(epilogue?.views ?? []).map(({ buffer }) => buffer)]);
    const bytes = (buffer: number) => bufferBytes(benched.program.buffers[buffer]);
    const requests = [...buffers, output].map((buffer) => ({ name: 'an operand', bytes: bytes(buffer) }));
    tools.memory.require('measuring a kernel', [...requests, { name: 'scratch memory', bytes: scratchBytes }]);
    await withErrorScopes(tools.device, 'measuring a kernel', () => {
      for (const buffer of buffers) bench.#buffers.set(buffer, bench.#create(bytes(buffer)));
      bench.#expected = bench.#create(bytes(output));
      bench.#scratch = bench.#create(scratchBytes);
      bench.#differences = bench.#create(4);
      return { value: undefined, free: () => bench.dispose() };
    });
    try {
      for (const buffer of buffers) if (buffer !== output) await bench.#fill(buffer);
    } catch (error) {
      bench.dispose();
      throw error;
    }
    return bench;
  }

  private constructor(benched: BenchedProduct, tools: BenchTools) {
    this.#benched = benched;
    this.#tools = tools;
  }

  /** What the output is stored as. */
  get #type(): 'f32' | 'f16' {
    return this.#benched.program.buffers[this.#benched.product.output].dtype === 'f16' ? 'f16' : 'f32';
  }

  get #output(): BufferRange {
    return this.#buffers.get(this.#benched.product.output)!;
  }

  bind({ dispatches, scratch }: CompiledVariant): TimedDispatch[] {
    return dispatches.map(({ dispatch, pipeline }) => ({
      pipeline,
      workgroups: dispatch.workgroups,
      bindGroup: this.#tools.pipelines.bindGroup({
        label: dispatch.label,
        ranges: dispatch.bindings.map((binding) =>
          'buffer' in binding ? this.#buffers.get(binding.buffer)! : { ...this.#scratch, ...scratch[binding.scratch] },
        ),
      }),
    }));
  }

  /** Runs the variant that the others are compared with. */
  async runFirst(variant: CompiledVariant): Promise<void> {
    const poison = await this.#helper(poisonWgsl(), [this.#output]);
    await this.#submit(() => [poison, ...this.bind(variant)], {
      after: (encoder) => encoder.copyBufferToBuffer(this.#output.gpu, 0, this.#expected.gpu, 0, this.#output.bytes),
    });
  }

  /** The part of the elements in which the variant's result is another than that of the first. */
  async differingPart(variant: CompiledVariant): Promise<number> {
    const { batch, m, n, k } = this.#benched.product;
    const poison = await this.#helper(poisonWgsl(), [this.#output]);
    const compare = await this.#helper(compareWgsl(this.#type, sumTolerance(this.#type, k)), [
      this.#output,
      this.#expected,
      this.#differences,
    ]);
    const source = { source: this.#differences.gpu, byteOffset: 0, bytes: 4 };
    const ring = new ReadbackRing({ memory: this.#tools.memory, name: 'tuning', ranges: [source], slots: 0 });
    try {
      let read: (() => Promise<ArrayBuffer[]>) | undefined;
      await this.#submit(() => [poison, ...this.bind(variant), compare], {
        before: (encoder) => encoder.clearBuffer(this.#differences.gpu),
        after: (encoder) => (read = ring.encode(encoder)),
      });
      const [contents] = await read!();
      return new Uint32Array(contents)[0] / (batch * m * n);
    } finally {
      ring.destroy();
    }
  }

  dispose(): void {
    const ranges = [...this.#buffers.values(), this.#scratch, this.#expected, this.#differences];
    for (const range of ranges) if (range) this.#tools.memory.destroy(range.gpu);
  }

  #create(bytes: number): BufferRange {
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    return { gpu: this.#tools.memory.create('tuning', bytes, usage), byteOffset: 0, bytes };
  }

  /** Buffers of integers stay zero. */
  async #fill(buffer: number): Promise<void> {
    const { dtype } = this.#benched.program.buffers[buffer];
    if (dtype === 'i32') return;
    const seed = [...this.#buffers.keys()].indexOf(buffer);
    const fill = await this.#helper(fillWgsl(dtype, seed), [this.#buffers.get(buffer)!]);
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
