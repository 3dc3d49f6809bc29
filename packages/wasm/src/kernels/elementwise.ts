/** @file Elementwise kernels: one command of the expression interpreter. */
import type { ElementwiseKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { encodeExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';
import { product, viewWords } from '../views.js';

const ARGUMENT_WORDS = 5;

export function encodeElementwise(kernel: ElementwiseKernel, context: EncodeContext): Command[] {
  const elements = product(kernel.shape);
  const inputs = kernel.inputs.map((view) => ({ view, address: context.address(view.buffer) }));
  const { words, block, cost } = encodeExpression(kernel.shape, inputs, kernel.expression);
  const perTile = itemsPerTile(elements, cost, block);
  const output = viewWords(kernel.shape, kernel.output, context.address(kernel.output.buffer));
  return [
    {
      kernel: KernelId.elementwise,
      tiles: Math.ceil(elements / perTile),
      args: [elements, perTile, block, ARGUMENT_WORDS, ARGUMENT_WORDS + words.length, ...words, ...output],
    },
  ];
}
