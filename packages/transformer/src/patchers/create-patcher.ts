/** @file The patcher of a configuration, and its parameters. */
import type { ParameterSpec } from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import type { PatcherConfig } from './config.js';
import { type LinearPatcherParameters, linearPatcher, linearPatcherSpec } from './linear.js';
import type { LatentSize, Patcher, PatcherSizes } from './patcher.js';
import { unetPatcher } from './unet.js';
import { type UnetParameters, unetSpec } from './unet-parameters.js';

/** Those of the configuration's kind. */
export interface PatcherParameters<T = Tensor> extends Partial<LinearPatcherParameters<T>> {
  unet?: UnetParameters<T>;
}

type Sized = PatcherSizes & { patcher: PatcherConfig };

export function patcherSpec({ patcher, ...sizes }: Sized): PatcherParameters<ParameterSpec> {
  return patcher.kind === 'unet' ? unetSpec(patcher, sizes) : linearPatcherSpec(patcher, sizes);
}

/** The patcher of a configuration, with the parameters of that configuration. */
export function createPatcher({ patcher, patchSize }: Sized, p: PatcherParameters, size: LatentSize): Patcher {
  if (patcher.kind === 'unet') return unetPatcher(patcher, p.unet!, { ...size, patchSize });
  return linearPatcher(p as LinearPatcherParameters, patchSize, size);
}
