/** @file Where WebGPU comes from: the page or worker, or Dawn through the `webgpu` package in Node. */
import { preloadSwiftShader, systemHasVulkan } from './swiftshader.js';

/** A `GPU` in use. `release` must be called once nothing made by it is used any more. */
export interface GpuSource {
  gpu: GPU;
  /** For people: where it is from. */
  origin: string;
  release: () => void;
}

/** Node cannot exit while Dawn's object is referenced, and the object must outlive its devices: so it is counted. */
let dawn: { gpu: GPU; users: number } | undefined;

/** `navigator.gpu`, which also finds the one that a program put there before. */
export function navigatorGpu(): GpuSource | undefined {
  const gpu = typeof navigator === 'undefined' ? undefined : navigator.gpu;
  return gpu ? { gpu, origin: 'navigator.gpu', release: () => {} } : undefined;
}

export function isNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

/** Whether this process uses the SwiftShader of a folder from now on. */
let usesSwiftShader = false;

/** In a function, so that bundlers for browsers see no name and leave the import alone: Vite puts constants in their places. */
function importInNode(name: string): Promise<typeof import('webgpu')> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ name);
}

/**
 * Dawn in this process.
 * @param swiftShaderFolder makes a fresh Dawn use the SwiftShader in it.
 * @returns undefined where that folder has no SwiftShader for this system.
 * @throws Error on a Linux system without a Vulkan loader, and what importing the `webgpu` package throws on platforms it
 * has no binary for.
 */
export async function dawnGpu(swiftShaderFolder?: string): Promise<GpuSource | undefined> {
  if (swiftShaderFolder === undefined) {
    // Dawn would find out too, but print it.
    if (!systemHasVulkan()) throw new Error('this system has no Vulkan loader (libvulkan.so.1)');
  } else if (!usesSwiftShader) {
    if (!preloadSwiftShader(swiftShaderFolder)) return undefined;
    usesSwiftShader = true;
    dawn = undefined;
  }
  if (!dawn) {
    const { create } = await importInNode('webgpu');
    // Dawn hides f16 on NVIDIA's Vulkan driver unless asked, and subgroup matrices everywhere: they are experimental. What
    // else is unsafe must be asked for by name, which nothing here does.
    const features = ['vulkan_enable_f16_on_nvidia', 'allow_unsafe_apis'];
    // SwiftShader compiles the zeroing of workgroup memory to a store per number: ten times the rest of a kernel.
    if (usesSwiftShader) features.push('disable_workgroup_init');
    // Dawn rounds the device's clock to 65.5 µs, against pages that spy with it: more than most kernels take.
    const disabled = ['timestamp_quantization'];
    const toggles = [`enable-dawn-features=${features.join(',')}`, `disable-dawn-features=${disabled.join(',')}`];
    dawn ??= { gpu: create(toggles), users: 0 };
  }
  const instance = dawn;
  instance.users += 1;
  const release = () => {
    instance.users -= 1;
    if (instance.users === 0 && dawn === instance) dawn = undefined;
  };
  return { gpu: instance.gpu, origin: 'Dawn in Node', release };
}
