import type { WebGpuBackend } from '../backend.js';
import { openWebGpu } from '../open.js';

/**
 * The backend on the adapter of the test environment, which is a software adapter where there is no GPU.
 * @param options.asHardware lowers kernels as for a GPU whatever the adapter is, to test the variants meant for GPUs.
 */
export async function openTestBackend(options: { asHardware?: boolean } = {}): Promise<WebGpuBackend> {
  return await openWebGpu(
    options.asHardware ? { gpu: gpuWith({ info: { vendor: 'test', isFallbackAdapter: false } }) } : {},
  );
}

/** A GPU whose adapter has other limits and another name than the real one. Devices are real and keep to the limits. */
export function gpuWith(overrides: {
  limits?: Partial<Record<keyof GPUSupportedLimits, number>>;
  info?: Partial<Record<keyof GPUAdapterInfo, string | boolean>>;
  features?: ReadonlySet<string>;
  onDevice?: (device: GPUDevice) => void;
}): GPU {
  const requestAdapter = async (request?: GPURequestAdapterOptions) => {
    const adapter = await navigator.gpu.requestAdapter(request);
    if (!adapter) return null;
    const limits = new Proxy(adapter.limits, {
      get: (target, name: keyof GPUSupportedLimits) => overrides.limits?.[name] ?? target[name],
    });
    const { subgroupMinSize, subgroupMaxSize } = adapter.info;
    return {
      features: overrides.features ?? adapter.features,
      limits,
      info: overrides.info ? { subgroupMinSize, subgroupMaxSize, ...overrides.info } : adapter.info,
      requestDevice: async (descriptor: GPUDeviceDescriptor) => {
        const device = await adapter.requestDevice(descriptor);
        overrides.onDevice?.(device);
        return device;
      },
    };
  };
  return { requestAdapter } as unknown as GPU;
}
