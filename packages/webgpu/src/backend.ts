/** @file The WebGPU backend: a device, its memory, its pipelines, and the programs loaded on it. */
import {
  type Backend,
  type BackendLimits,
  type BackendStats,
  BYTES_PER_ELEMENT,
  checkBufferSize,
  checkProgram,
  checkStates,
  type DeviceBuffer,
  type Executable,
  type Program,
} from '@transfusion/tensor';
import type { AdapterKind } from './adapter/adapter.js';
import { type DeviceLimits, MOST_SHARED_BYTES } from './adapter/limits.js';
import type { AttentionPlans } from './kernels/attention/plan.js';
import type { Candidates } from './kernels/products/variant.js';
import type { LoweringDevice } from './lowering.js';
import { createDeviceBuffers, WebGpuDeviceBuffer } from './runtime/device-buffer.js';
import { Faults } from './runtime/faults.js';
import { type LoadContext, loadProgram } from './runtime/load.js';
import { DeviceMemory } from './runtime/memory.js';
import { PipelineCache } from './runtime/pipelines.js';
import type { TuningStore } from './tuning/store.js';
import { Tuner, type TuningSummary } from './tuning/tuner.js';

/** What `openWebGpu` opens. */
export interface WebGpuBackend extends Backend {
  /** Whether the kernels run on a GPU or on a software adapter, which is for testing. */
  readonly adapterKind: AdapterKind;
  /** What the choice of kernels by measurement did; undefined where it is off. */
  readonly tuning: TuningSummary | undefined;
}

export class WebGpuDeviceBackend implements WebGpuBackend {
  readonly name = 'webgpu';
  readonly queued = true;
  readonly description: string;
  readonly adapterKind: AdapterKind;
  readonly limits: BackendLimits;
  readonly #device: GPUDevice;
  readonly #context: LoadContext;
  readonly #release: () => void;
  #disposal: Promise<void> | undefined;

  constructor(options: {
    device: GPUDevice;
    limits: DeviceLimits;
    lowering: LoweringDevice;
    adapterKind: AdapterKind;
    description: string;
    memoryLimitBytes: number;
    candidates: Candidates;
    plans: AttentionPlans;
    /** Absent where nothing is measured. */
    tuning?: { store: TuningStore | undefined; key: () => Promise<string> };
    /** Called once the device is destroyed. */
    release: () => void;
  }) {
    const { device, limits } = options;
    this.#device = device;
    this.#release = options.release;
    this.description = options.description;
    this.adapterKind = options.adapterKind;
    const alignment = limits.minStorageBufferOffsetAlignment;
    this.limits = {
      alignment,
      maxArenaBytes: floorTo(Math.min(limits.maxBufferSize, MOST_SHARED_BYTES, options.memoryLimitBytes), alignment),
      maxBufferBytes: floorTo(limits.maxStorageBufferBindingSize, BYTES_PER_ELEMENT),
      f16: options.device.features.has('shader-f16'),
      maxExpressionInputs: limits.maxStorageBuffersPerShaderStage - 1,
    };
    const { lowering, candidates, plans, tuning } = options;
    const memory = new DeviceMemory(device, limits.maxBufferSize, options.memoryLimitBytes);
    this.#context = {
      device,
      limits,
      lowering,
      memory,
      pipelines: new PipelineCache(device),
      faults: new Faults(device, options.description),
      candidates,
      plans,
      tuner: tuning && new Tuner({ tools: { device, limits, lowering, memory }, candidates, plans, ...tuning }),
    };
  }

  get tuning(): TuningSummary | undefined {
    return this.#context.tuner?.summary;
  }

  createBuffer(elements: number): DeviceBuffer {
    return this.createBuffers([elements])[0];
  }

  createBuffers(sizes: readonly number[]): DeviceBuffer[] {
    this.#context.faults.check();
    for (const elements of sizes) checkBufferSize(elements, this.limits);
    return createDeviceBuffers(sizes, this.#context);
  }

  async load(program: Program, states: DeviceBuffer[]): Promise<Executable> {
    this.#context.faults.check();
    checkProgram(program, this);
    const own = checkStates(
      program,
      states,
      (state): state is WebGpuDeviceBuffer => state instanceof WebGpuDeviceBuffer && state.isOf(this.#device),
    );
    return await loadProgram(program, own, this.#context);
  }

  stats(): BackendStats {
    const { memory, pipelines } = this.#context;
    return {
      liveBytes: memory.liveBytes,
      liveBuffers: memory.liveBuffers,
      builtKernels: pipelines.built,
      buildSeconds: pipelines.buildSeconds,
      builtBindGroups: pipelines.builtBindGroups,
    };
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    this.#context.faults.dispose();
    this.#context.memory.destroyAll();
    this.#device.destroy();
    await this.#device.lost;
    this.#release();
  }
}

function floorTo(value: number, multiple: number): number {
  return Math.floor(value / multiple) * multiple;
}
