/** @file A U-Net patcher of the paper's size. */
import type { UnetPatcherConfig } from './config.js';

/**
 * A U-Net for 2x2 patches with about the paper's "0.27B additional parameters across all configurations" (section 4.1): 0.254
 * to 0.306 billion beside its five models. The paper does not tell widths; these are those of a public reading of LMFusion
 * (nkkbr/LMFusionQwen3), but that its coarsest level is as wide as the model, which is not 0.27B at 7B.
 */
export const paperUnet = {
  kind: 'unet',
  channels: [320, 1280],
  layersPerBlock: 2,
  attention: [0, 1],
  headDim: 64,
  norm: 'group',
  groups: 32,
} as const satisfies Readonly<Record<keyof UnetPatcherConfig, unknown>>;
