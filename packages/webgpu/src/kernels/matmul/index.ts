/** @file output[b] = epilogue(op(a[b]) @ op(b[b])): the choice of a variant by adapter and shape. */
import type { ElementwiseKernel, MatmulKernel } from '@transfusion/tensor';
import type { Dispatch, Lowering, LoweringContext } from '../../lowering.js';
import { lowerElementwise } from '../elementwise.js';
import { contiguousStrides } from '../views.js';
import { bindingCount } from './problem.js';
import { lowerRegister } from './register.js';
import { lowerSkinny, SKINNY_ROWS } from './skinny.js';
import { lowerTiled, tiledFits } from './tiled.js';

export function lowerMatmul(kernel: MatmulKernel, context: LoweringContext): Dispatch[] {
  const variant = chooseVariant(kernel, context);
  // A variant binds both operands and the output beside the epilogue's views.
  if (kernel.epilogue && bindingCount(kernel) > context.device.maxStorageBuffers) {
    return [
      ...variant({ ...kernel, epilogue: undefined }, context),
      ...epilogueInPlace(kernel, kernel.epilogue, context),
    ];
  }
  return variant(kernel, context);
}

function chooseVariant(kernel: MatmulKernel, { device }: LoweringContext): Lowering<MatmulKernel> {
  if (device.software) return lowerRegister;
  if (kernel.m <= SKINNY_ROWS) return lowerSkinny;
  return tiledFits(device) ? lowerTiled : lowerRegister;
}

/** The epilogue as a kernel of its own over the plain product. */
function epilogueInPlace(
  kernel: MatmulKernel,
  epilogue: NonNullable<MatmulKernel['epilogue']>,
  context: LoweringContext,
): Dispatch[] {
  const shape = [kernel.batch, kernel.m, kernel.n];
  const product = { buffer: kernel.output, offset: 0, strides: contiguousStrides(shape) };
  const elementwise: ElementwiseKernel = {
    kind: 'elementwise',
    shape,
    inputs: [product, ...epilogue.views],
    output: product,
    expression: epilogue.expression,
  };
  return lowerElementwise(elementwise, context);
}
