import type { WebGpuBackend } from '../backend.js';
import type { AttentionPlans } from '../kernels/attention/plan.js';
import { productCandidates } from '../kernels/products/candidates.js';
import type { Candidates } from '../kernels/products/variant.js';
import { type OpenWebGpuOptions, openWithCandidates } from '../open.js';

/**
 * The backend on the adapter of the test environment, which is a software adapter where there is no GPU. Nothing is
 * measured unless asked for: results of tests must not depend on timing.
 * @param options.asHardware lowers kernels as for a GPU whatever the adapter is, to test the variants meant for GPUs.
 * @param options.candidates the variants of products, the first the default.
 * @param options.plans the plans of attention, the first the default.
 */
export async function openTestBackend(
  options: { asHardware?: boolean; candidates?: Candidates; plans?: AttentionPlans } & OpenWebGpuOptions = {},
): Promise<WebGpuBackend> {
  const { asHardware, candidates = productCandidates, plans, ...others } = options;
  const gpu = asHardware ? gpuWith({ info: { vendor: 'test', isFallbackAdapter: false } }) : undefined;
  return await openWithCandidates({ tuning: 'off', gpu, ...others }, candidates, plans);
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
