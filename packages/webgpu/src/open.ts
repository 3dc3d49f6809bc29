/** @file Opening the backend: an adapter, and a device with all that the adapter has. */
import { BackendError, backendOptions } from '@transfusion/tensor';
import { type AdapterKind, adapterKind, adapterName } from './adapter/adapter.js';
import { findAdapter } from './adapter/find.js';
import { type GpuSource, isNode } from './adapter/gpu.js';
import { type DeviceLimits, limitsOf } from './adapter/limits.js';
import { matrixOrderForm, SUBGROUP_MATRIX_FEATURE, subgroupMatrixConfigs } from './adapter/subgroup-matrices.js';
import { type WebGpuBackend, WebGpuDeviceBackend } from './backend.js';
import { attentionPlans } from './kernels/attention/candidates.js';
import type { AttentionPlans } from './kernels/attention/plan.js';
import { productCandidates } from './kernels/products/candidates.js';
import type { Candidates } from './kernels/products/variant.js';
import type { LoweringDevice } from './lowering.js';
import { defaultTuningStore } from './tuning/default-store.js';
import type { TuningStore } from './tuning/store.js';
import { tuningKey } from './tuning/store-key.js';

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
  /**
   * Whether products and attention are computed by the fastest of their variants, found out on the device when a program is loaded, or by
   * what is usual for the adapter and the shape. Results differ by rounding. Default: 'measure' on a GPU, 'off' on a software
   * adapter.
   */
  tuning?: 'measure' | 'off';
  /**
   * Keeps what was measured. Default: a file in the user's cache folder in Node, IndexedDB in browsers, where neither works
   * the backend itself.
   */
  tuningStore?: TuningStore;
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
 * @throws BackendError (BACKEND_UNAVAILABLE), which says what was tried and how to get an adapter, with a `cause` where there is
 * one that gives no device; TransfusionError BACKEND_OPTIONS
 */
export async function openWebGpu(options: OpenWebGpuOptions = {}): Promise<WebGpuBackend> {
  return await openWithCandidates(options, productCandidates);
}

/** `openWebGpu` with the variants of products and the plans of attention that there are to choose from. */
export async function openWithCandidates(
  options: OpenWebGpuOptions,
  candidates: Candidates,
  plans: AttentionPlans = attentionPlans,
): Promise<WebGpuBackend> {
  const { memoryLimitBytes = Infinity } = options;
  if (!(memoryLimitBytes > 0)) {
    throw backendOptions('openWebGpu', `memoryLimitBytes is ${memoryLimitBytes}, but must be above 0`);
  }
  const wanted = options.requireGpu ? 'hardware' : (options.adapter ?? 'any');
  const { adapter, source } = await findAdapter({ ...options, gpu: options.gpu as GPU | undefined, wanted });
  try {
    return await openAdapter({ adapter, source, options, candidates, plans });
  } catch (error) {
    source.release();
    throw error;
  }
}

async function openAdapter(opening: {
  adapter: GPUAdapter;
  source: GpuSource;
  options: OpenWebGpuOptions;
  candidates: Candidates;
  plans: AttentionPlans;
}): Promise<WebGpuBackend> {
  const { adapter, source, options, candidates, plans } = opening;
  const limits = limitsOf(adapter);
  const wanted = ['subgroups', 'shader-f16', 'timestamp-query', SUBGROUP_MATRIX_FEATURE] as const;
  const requiredFeatures = wanted.filter((feature) => adapter.features.has(feature));
  const request = adapter.requestDevice({ label: 'transfusion', requiredFeatures, requiredLimits: limits });
  const device = await request.catch((cause) => Promise.reject(noDevice(adapter, cause)));
  const kind = adapterKind(adapter);
  const lowering = await loweringDevice(adapter, device, limits);
  const memoryLimitBytes = options.memoryLimitBytes ?? (kind === 'software' ? hostMemoryLimit() : Infinity);
  const note = kind === 'software' ? ', a software adapter: slow, for testing' : '';
  const tuning = options.tuning ?? (kind === 'hardware' ? 'measure' : 'off');
  return new WebGpuDeviceBackend({
    device,
    limits,
    lowering,
    adapterKind: kind,
    description: `${adapterName(adapter)} through ${source.origin}${note}`,
    memoryLimitBytes,
    candidates,
    plans,
    tuning:
      tuning === 'measure'
        ? {
            store: options.tuningStore ?? defaultTuningStore(),
            key: () => tuningKey({ info: adapter.info, candidates, plans, lowering, limits }),
          }
        : undefined,
    release: source.release,
  });
}

function noDevice(adapter: GPUAdapter, cause: unknown): BackendError {
  const message = `${adapterName(adapter)} gave no device: ${cause instanceof Error ? cause.message : cause}`;
  return new BackendError({ code: 'BACKEND_UNAVAILABLE', message, cause });
}

async function loweringDevice(adapter: GPUAdapter, device: GPUDevice, limits: DeviceLimits): Promise<LoweringDevice> {
  const configs = subgroupMatrixConfigs(adapter.info, device.features);
  const orderForm = configs.length > 0 ? await matrixOrderForm(device, configs[0]) : undefined;
  return {
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    subgroups: device.features.has('subgroups'),
    subgroupMinSize: adapter.info.subgroupMinSize ?? 0,
    subgroupMaxSize: adapter.info.subgroupMaxSize ?? 0,
    subgroupMatrices: orderForm && { configs, orderForm },
    sizedArrays: adapterKind(adapter) === 'software' || !isOnVulkan(),
    software: adapterKind(adapter) === 'software',
  };
}

/** Whether WebGPU is built on Vulkan here, as on Linux, Android and ChromeOS. */
function isOnVulkan(): boolean {
  if (isNode()) return process.platform === 'linux' || process.platform === 'android';
  return /Linux|Android|CrOS/.test(globalThis.navigator?.userAgent ?? '');
}

function hostMemoryLimit(): number {
  return isNode() ? Math.floor(process.getBuiltinModule('node:os').totalmem() * 0.75) : Infinity;
}
