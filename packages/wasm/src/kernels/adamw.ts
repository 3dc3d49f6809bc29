/** @file Encodes AdamW updates; `assembly/adamw.ts` runs them. */
import type { AdamWKernel } from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeAdamW(kernel: AdamWKernel, context: EncodeContext): Command[] {
  const { elements, beta1, beta2 } = kernel;
  const perTile = itemsPerTile(elements, 1.2, 16);
  const args = [elements, perTile, context.address(kernel.hyper), context.address(kernel.gradientScale)];
  // 1 - beta in f64: in f32 it would lose three digits for a beta of 0.999.
  for (const factor of [beta1, 1 - beta1, beta2, 1 - beta2, kernel.epsilon, kernel.weightDecay]) {
    args.push(floatWord(factor));
  }
  args.push(
    context.address(kernel.parameter),
    context.address(kernel.gradient),
    context.address(kernel.m),
    context.address(kernel.v),
  );
  return [{ kernel: KernelId.adamw, tiles: Math.ceil(elements / perTile), args }];
}
