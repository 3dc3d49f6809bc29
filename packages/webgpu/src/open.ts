/** @file Opening the backend: an adapter, and a device with all that the adapter has. */
import { BackendError } from '@transfusion/tensor';
import { type AdapterKind, adapterKind, adapterName } from './adapter/adapter.js';
import { findAdapter } from './adapter/find.js';
import { type GpuSource, isNode } from './adapter/gpu.js';
import { limitsOf } from './adapter/limits.js';
import { type WebGpuBackend, WebGpuDeviceBackend } from './backend.js';
import type { LoweringDevice } from './lowering.js';

export interface OpenWebGpuOptions {
  /** Refuses software adapters. Default false. */
  requireGpu?: boolean;
  /** Which adapters will do: a GPU, a CPU behind a graphics driver (for testing), or either, a GPU first. Default 'any'. */
  adapter?: 'any' | AdapterKind;
  /** Which of several GPUs. Default 'high-performance'. */
  powerPreference?: 'high-performance' | 'low-power';
  /**
   * The most bytes of device memory to use; more throws OutOfMemoryError. Default: no limit on a GPU (WebGPU does not tell
   * its memory), three quarters of the machine's memory on a software adapter in Node.
   */
  memoryLimitBytes?: number;
  /**
   * Node on Linux x64: a folder with SwiftShader (`libvulkan.so.1`, `libvk_swiftshader.so`, `vk_swiftshader_icd.json`), used
   * where the system has no adapter of its own. Default: the environment variable TRANSFUSION_SWIFTSHADER.
   */
  swiftShaderFolder?: string;
  /** A `GPU` object to use instead of `navigator.gpu` or Dawn. The caller keeps it alive while the backend is. */
  gpu?: GpuLike;
}

/** A WebGPU `GPU` object, whichever library's types describe it. */
export interface GpuLike {
  requestAdapter(options?: object): Promise<unknown>;
}

/**
 * Opens WebGPU: `navigator.gpu` where there is one, else Dawn in Node. A real GPU is preferred, then the system's software
 * Vulkan driver, then SwiftShader. Node can exit once the backend is disposed.
 *
 * @throws BackendError (BACKEND_UNAVAILABLE), which says what was tried and how to get an adapter.
 */
export async function openWebGpu(options: OpenWebGpuOptions = {}): Promise<WebGpuBackend> {
  const wanted = options.requireGpu ? 'hardware' : (options.adapter ?? 'any');
  const { adapter, source } = await findAdapter({ ...options, gpu: options.gpu as GPU | undefined, wanted });
  try {
    return await openAdapter(adapter, source, options);
  } catch (cause) {
    source.release();
    throw new BackendError({
      code: 'BACKEND_UNAVAILABLE',
      message: `${adapterName(adapter)} gave no device: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
}

async function openAdapter(adapter: GPUAdapter, source: GpuSource, options: OpenWebGpuOptions): Promise<WebGpuBackend> {
  const limits = limitsOf(adapter);
  const features = (['subgroups', 'shader-f16', 'timestamp-query'] as const).filter((feature) =>
    adapter.features.has(feature),
  );
  const device = await adapter.requestDevice({
    label: 'transfusion',
    requiredFeatures: features,
    requiredLimits: limits,
  });
  const kind = adapterKind(adapter);
  const lowering: LoweringDevice = {
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    subgroups: device.features.has('subgroups'),
    subgroupMinSize: adapter.info.subgroupMinSize ?? 0,
    subgroupMaxSize: adapter.info.subgroupMaxSize ?? 0,
    software: kind === 'software',
  };
  const memoryLimitBytes = options.memoryLimitBytes ?? (kind === 'software' ? hostMemoryLimit() : Infinity);
  const note = kind === 'software' ? ', a software adapter: slow, for testing' : '';
  return new WebGpuDeviceBackend({
    device,
    limits,
    lowering,
    adapterKind: kind,
    description: `${adapterName(adapter)} through ${source.origin}${note}`,
    memoryLimitBytes,
    release: source.release,
  });
}

function hostMemoryLimit(): number {
  return isNode() ? Math.floor(process.getBuiltinModule('node:os').totalmem() * 0.75) : Infinity;
}
