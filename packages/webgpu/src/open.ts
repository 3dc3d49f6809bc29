/** @file Opening the backend: choosing an adapter, saying which, and asking it for all it has. */
import { BackendError } from '@transfusion/tensor';
import { type AdapterKind, adapterKind, adapterName } from './adapter/adapter.js';
import { dawnGpu, type GpuSource, isNode, navigatorGpu } from './adapter/gpu.js';
import { WebGpuBackend } from './backend.js';
import type { LoweringDevice } from './lowering.js';

export interface OpenWebGpuOptions {
  /** Refuses software adapters. Default false. */
  requireGpu?: boolean;
  /** Which adapters will do: a GPU, a CPU behind a graphics driver (for testing), or either, a GPU first. Default 'any'. */
  adapter?: 'any' | AdapterKind;
  /** Which of several GPUs. Default 'high-performance'. */
  powerPreference?: GPUPowerPreference;
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
  /** Used instead of `navigator.gpu` or Dawn. The caller keeps it alive while the backend is. */
  gpu?: GPU;
}

/** Limits of which the device gets all that the adapter has. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const;

interface FoundAdapter {
  adapter: GPUAdapter;
  source: GpuSource;
}

/**
 * Opens WebGPU: `navigator.gpu` where there is one, else Dawn in Node. A real GPU is preferred, then the system's software
 * Vulkan driver, then SwiftShader. Node can exit once the backend is disposed.
 *
 * @throws BackendError (BACKEND_UNAVAILABLE), which says what was tried and how to get an adapter.
 */
export async function openWebGpu(options: OpenWebGpuOptions = {}): Promise<WebGpuBackend> {
  const wanted = options.requireGpu ? 'hardware' : (options.adapter ?? 'any');
  const { adapter, source } = await findAdapter(options, wanted);
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
  const features = (['subgroups'] as const).filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({
    label: 'transfusion',
    requiredFeatures: features,
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
  const kind = adapterKind(adapter);
  const lowering: LoweringDevice = {
    maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: Math.min(
      device.limits.maxComputeInvocationsPerWorkgroup,
      device.limits.maxComputeWorkgroupSizeX,
    ),
    maxWorkgroupStorageBytes: device.limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffers: device.limits.maxStorageBuffersPerShaderStage,
    subgroups: device.features.has('subgroups'),
    subgroupMinSize: adapter.info.subgroupMinSize ?? 0,
    subgroupMaxSize: adapter.info.subgroupMaxSize ?? 0,
    software: kind === 'software',
  };
  const memoryLimitBytes = options.memoryLimitBytes ?? (kind === 'software' ? hostMemoryLimit() : Infinity);
  const note = kind === 'software' ? ', a software adapter: slow, for testing' : '';
  return new WebGpuBackend({
    device,
    lowering,
    adapterKind: kind,
    description: `${adapterName(adapter)} through ${source.origin}${note}`,
    memoryLimitBytes,
    release: source.release,
  });
}

async function findAdapter(options: OpenWebGpuOptions, wanted: 'any' | AdapterKind): Promise<FoundAdapter> {
  const tried: string[] = [];
  const powerPreference = options.powerPreference ?? 'high-performance';
  const ask = async (open: () => GpuSource | undefined | Promise<GpuSource | undefined>, what: string) => {
    let source: GpuSource | undefined;
    try {
      source = await open();
      if (!source) return undefined;
      const adapter = await requestAdapter(source.gpu, wanted, powerPreference);
      if (adapter && (wanted === 'any' || adapterKind(adapter) === wanted)) return { adapter, source };
      tried.push(
        `${what}: ${adapter ? `has only ${adapterName(adapter)} (${adapterKind(adapter)})` : 'has no adapter'}`,
      );
    } catch (error) {
      tried.push(`${what}: ${error instanceof Error ? error.message : error}`);
    }
    source?.release();
    return undefined;
  };

  const { gpu } = options;
  if (gpu) {
    const found = await ask(() => ({ gpu, origin: 'the GPU object given', release: () => {} }), 'the GPU object given');
    if (found) return found;
    throw unavailable(wanted, tried);
  }
  const onPage = await ask(navigatorGpu, 'navigator.gpu');
  if (onPage) return onPage;
  if (isNode()) {
    const inNode = await ask(() => dawnGpu(), "Dawn (npm package 'webgpu')");
    if (inNode) return inNode;
    const folder = options.swiftShaderFolder ?? process.env.TRANSFUSION_SWIFTSHADER;
    if (folder && wanted !== 'hardware') {
      const software = await ask(() => dawnGpu(folder), `SwiftShader in ${folder}`);
      if (software) return software;
      if (!tried.some((line) => line.startsWith('SwiftShader'))) tried.push(`SwiftShader in ${folder}: not there`);
    }
  } else if (tried.length === 0) {
    tried.push('navigator.gpu: this browser or page has none');
  }
  throw unavailable(wanted, tried);
}

async function requestAdapter(
  gpu: GPU,
  wanted: 'any' | AdapterKind,
  powerPreference: GPUPowerPreference,
): Promise<GPUAdapter | null> {
  if (wanted !== 'software') return await gpu.requestAdapter({ powerPreference });
  return (await gpu.requestAdapter({ forceFallbackAdapter: true })) ?? (await gpu.requestAdapter());
}

function unavailable(wanted: 'any' | AdapterKind, tried: string[]): BackendError {
  const what = wanted === 'any' ? 'no WebGPU adapter' : `no ${wanted} WebGPU adapter`;
  return new BackendError({
    code: 'BACKEND_UNAVAILABLE',
    message: `${what}; tried ${tried.join('; ')}`,
    fix: adapterAdvice(wanted),
  });
}

function adapterAdvice(wanted: 'any' | AdapterKind): string {
  if (!isNode())
    return 'use a browser with WebGPU (Chrome, Edge, Safari 26, Firefox 141 or later) on an https or localhost page';
  if (wanted === 'hardware') return "install the GPU's Vulkan driver (Linux), or use the wasm backend";
  if (process.platform !== 'linux') return 'update the graphics driver, or use the wasm backend';
  return (
    'use the wasm backend, or get a software adapter: Debian and Ubuntu have one in mesa-vulkan-drivers and libvulkan1 ' +
    '(Mesa 24 or later; on Debian 12 from bookworm-backports); in this project on x64, `npm run setup` unpacks SwiftShader'
  );
}

function hostMemoryLimit(): number {
  return isNode() ? Math.floor(process.getBuiltinModule('node:os').totalmem() * 0.75) : Infinity;
}
