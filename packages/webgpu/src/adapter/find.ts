/** @file The choice of an adapter, and what to tell the person who has none. */
import { BackendError } from '@transfusion/tensor';
import { type AdapterKind, adapterKind, adapterName } from './adapter.js';
import { dawnGpu, type GpuSource, isNode, navigatorGpu } from './gpu.js';

export interface FoundAdapter {
  adapter: GPUAdapter;
  source: GpuSource;
}

/**
 * Asks `options.gpu` if given; else `navigator.gpu`, then Dawn in Node, then Dawn with SwiftShader.
 * @throws BackendError (BACKEND_UNAVAILABLE)
 */
export async function findAdapter(options: {
  wanted: 'any' | AdapterKind;
  gpu?: GPU;
  powerPreference?: GPUPowerPreference;
  swiftShaderFolder?: string;
}): Promise<FoundAdapter> {
  const { gpu, wanted, powerPreference = 'high-performance' } = options;
  const tried: string[] = [];
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
