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
import type { DeviceLimits } from './adapter/limits.js';
import type { Candidates } from './kernels/products/variant.js';
import type { LoweringDevice } from './lowering.js';
import { WebGpuDeviceBuffer } from './runtime/device-buffer.js';
import { Faults } from './runtime/faults.js';
import { type LoadContext, loadProgram } from './runtime/load.js';
import { DeviceMemory } from './runtime/memory.js';
import { PipelineCache } from './runtime/pipelines.js';
import type { TuningStore } from './tuning/store.js';
import { Tuner, type TuningSummary } from './tuning/tuner.js';

/**
 * Adapters say more than their drivers give: the largest allocation of NVIDIA's is a little less than the 4 GiB it names. What does not
 * fit into one arena goes into another.
 */
const MOST_ARENA_BYTES = 2 ** 31;

/** What `openWebGpu` opens. */
export interface WebGpuBackend extends Backend {
  /** Whether the kernels run on a GPU or on a software adapter, which is for testing. */
  readonly adapterKind: AdapterKind;
  /** What the choice of kernels by measurement did; undefined where it is off. */
  readonly tuning: TuningSummary | undefined;
}

export class WebGpuDeviceBackend implements WebGpuBackend {
  readonly name = 'webgpu';
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
      maxArenaBytes: floorTo(Math.min(limits.maxBufferSize, MOST_ARENA_BYTES, options.memoryLimitBytes), alignment),
      maxBufferBytes: floorTo(limits.maxStorageBufferBindingSize, BYTES_PER_ELEMENT),
      f16: options.device.features.has('shader-f16'),
      maxExpressionInputs: limits.maxStorageBuffersPerShaderStage - 1,
    };
    const { lowering, candidates, tuning } = options;
    const memory = new DeviceMemory(device, limits.maxBufferSize, options.memoryLimitBytes);
    this.#context = {
      device,
      limits,
      lowering,
      memory,
      pipelines: new PipelineCache(device),
      faults: new Faults(device, options.description),
      candidates,
      tuner: tuning && new Tuner({ tools: { device, limits, lowering, memory }, candidates, ...tuning }),
    };
  }

  get tuning(): TuningSummary | undefined {
    return this.#context.tuner?.summary;
  }

  createBuffer(elements: number): DeviceBuffer {
    const { device, memory, faults } = this.#context;
    faults.check();
    checkBufferSize(elements, this.limits);
    const bytes = elements * BYTES_PER_ELEMENT;
    memory.require(`a buffer of ${elements} elements`, [{ name: 'its contents', bytes }]);
    return new WebGpuDeviceBuffer({ elements, device, memory, faults });
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
