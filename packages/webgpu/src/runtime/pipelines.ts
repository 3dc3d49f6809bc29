/** @file Compute pipelines, cached by their WGSL, and the layouts that they share. */
import { kernelFailed } from '@transfusion/tensor';
import type { BufferRange } from './memory-plan.js';

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<number, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();
  #built = 0;
  /** Pipelines that are being built, and since when there has been one. */
  #building = 0;
  #buildingSince = 0;
  #buildSeconds = 0;
  #builtBindGroups = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Pipelines built so far. */
  get built(): number {
    return this.#built;
  }

  /** Seconds in which at least one pipeline was being built: they are built side by side. */
  get buildSeconds(): number {
    return this.#buildSeconds;
  }

  get builtBindGroups(): number {
    return this.#builtBindGroups;
  }

  /** The ranges as bindings 0, 1, ... of a pipeline with as many. */
  bindGroup(options: { label: string; ranges: BufferRange[] }): GPUBindGroup {
    this.#builtBindGroups += 1;
    return this.#device.createBindGroup({
      label: options.label,
      layout: this.layout(options.ranges.length).group,
      entries: options.ranges.map(({ gpu, byteOffset, bytes }, binding) => ({
        binding,
        resource: { buffer: gpu, offset: byteOffset, size: bytes },
      })),
    });
  }

  /** The layout of `count` read-write storage buffers at bindings 0, 1, ... of group 0. */
  layout(count: number): { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    let layout = this.#layouts.get(count);
    if (!layout) {
      const group = this.#device.createBindGroupLayout({
        label: `${count} storage buffers`,
        entries: Array.from({ length: count }, (_, binding) => ({
          binding,
          visibility: 0x4, // GPUShaderStage.COMPUTE
          buffer: { type: 'storage' as const },
        })),
      });
      layout = { group, pipeline: this.#device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      this.#layouts.set(count, layout);
    }
    return layout;
  }

  /**
   * The pipeline of a complete WGSL module with entry point `main`, compiled off this thread.
   * @throws BackendError (KERNEL_FAILED) with the compiler's messages.
   */
  get(options: { label: string; code: string; bindingCount: number }): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(options.code);
    if (!pipeline) {
      pipeline = this.#build(options);
      this.#pipelines.set(options.code, pipeline);
      pipeline.catch(() => this.#pipelines.delete(options.code));
    }
    return pipeline;
  }

  async #build(options: { label: string; code: string; bindingCount: number }): Promise<GPUComputePipeline> {
    const { label, code, bindingCount } = options;
    if (this.#building++ === 0) this.#buildingSince = performance.now();
    const layout = this.layout(bindingCount).pipeline;
    // The compilation's errors are read from the module; this scope keeps them from being reported twice.
    this.#device.pushErrorScope('validation');
    const module = this.#device.createShaderModule({ label, code });
    const scope = this.#device.popErrorScope();
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout,
        compute: { module, entryPoint: 'main' },
      });
      this.#built += 1;
      return pipeline;
    } catch (cause) {
      const fault = await scope.catch(() => null);
      const reason = fault?.message ?? (cause instanceof Error ? cause.message : String(cause));
      throw kernelFailed(`kernel '${label}' does not compile`, reason, cause);
    } finally {
      if (--this.#building === 0) this.#buildSeconds += (performance.now() - this.#buildingSince) / 1000;
      await scope.catch(() => null);
    }
  }
}
