/** @file The engines that are compared, and what a row gets to write its work in each of them. */

import type * as jaxJs from '@jax-js/jax';
import type * as tensorflow from '@tensorflow/tfjs-core';
import type { Backend } from '@transfusion/tensor';
import type { TorchApi, TorchSetting } from './torch.js';

export type BackendName = 'wasm' | 'webgpu';

/** What each engine is programmed with. */
export interface EngineApis {
  ours: { backend: Backend };
  'jax-js': { jax: typeof jaxJs };
  tfjs: { tf: typeof tensorflow };
  /** PyTorch, on the CPU or with CUDA. */
  torch: TorchApi;
}

/** An engine's way of being programmed: a row has one implementation for each. */
export type ApiName = keyof EngineApis;

/** An engine in one setting. */
interface EngineSetting {
  api: ApiName;
  backends: readonly BackendName[];
  /** Ours: kernels for 128-bit registers even where the engine has 256-bit ones. */
  narrow?: boolean;
  /** jax-js has threads only where there are web workers: gives it those. */
  webWorkers?: boolean;
  /** PyTorch: where, and in which precision it multiplies; default f32 on the CPU. */
  torch?: TorchSetting;
  /** Only with `--gpu`. */
  gpuOnly?: boolean;
  /** The most that its numbers may differ from ours, where that is more than the row allows. */
  tolerance?: number;
}

/** Every engine, under the name it has in the results; ours first. */
export const ENGINES = {
  ours: { api: 'ours', backends: ['wasm', 'webgpu'] },
  'ours, 128-bit': { api: 'ours', backends: ['wasm'], narrow: true },
  'jax-js': { api: 'jax-js', backends: ['wasm', 'webgpu'] },
  'jax-js with workers': { api: 'jax-js', backends: ['wasm'], webWorkers: true },
  tfjs: { api: 'tfjs', backends: ['wasm', 'webgpu'] },
  torch: { api: 'torch', backends: ['wasm'] },
  'torch with CUDA': { api: 'torch', backends: ['webgpu'], gpuOnly: true, torch: { device: 'cuda', dtype: 'f32' } },
  'torch with CUDA, TF32': {
    api: 'torch',
    backends: ['webgpu'],
    gpuOnly: true,
    torch: { device: 'cuda', dtype: 'tf32' },
    // TF32 has three digits, and sums f32.
    tolerance: 0.01,
  },
  'torch with CUDA, bf16': {
    api: 'torch',
    backends: ['webgpu'],
    gpuOnly: true,
    torch: { device: 'cuda', dtype: 'bf16' },
    // bf16 has three digits.
    tolerance: 0.05,
  },
} as const satisfies Record<string, EngineSetting>;

export type EngineName = keyof typeof ENGINES;

export function isEngineName(name: string): name is EngineName {
  return Object.hasOwn(ENGINES, name);
}

export function engineSetting(name: EngineName): EngineSetting {
  return ENGINES[name];
}

/** An engine that is open in this process. */
export type OpenEngine = { [Name in ApiName]: { name: Name; api: EngineApis[Name] } }[ApiName] & {
  /** One line for a person: version, adapter or threads. */
  description: string;
  /** Whether a CPU plays the GPU. */
  software: boolean;
};
