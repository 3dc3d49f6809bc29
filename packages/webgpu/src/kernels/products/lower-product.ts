/** @file The choice of a variant for a product, by adapter and shape. */
import type { ElementwiseKernel, Epilogue } from '@transfusion/tensor';
import type { Dispatch, LoweringContext } from '../../lowering.js';
import { lowerElementwise } from '../elementwise.js';
import { contiguousStrides } from '../views.js';
import { bindingCount, type Product } from './product.js';
import { lowerQuad, quadFits } from './quad.js';
import { lowerRegister } from './register.js';
import { lowerSkinny, SKINNY_ROWS } from './skinny.js';
import { lowerTiled, tiledFits } from './tiled.js';

/** A way to compute a product. */
export type Variant = (product: Product, context: LoweringContext) => Dispatch[];

/** The dispatches of a product. */
export function lowerProduct(product: Product, context: LoweringContext): Dispatch[] {
  const variant = chooseVariant(product, context);
  // A variant binds both operands and the output beside the epilogue's views.
  if (product.epilogue && bindingCount(product) > context.device.maxStorageBuffers) {
    const plain = variant({ ...product, epilogue: undefined }, context);
    return [...plain, ...epilogueInPlace(product, product.epilogue, context)];
  }
  return variant(product, context);
}

function chooseVariant(product: Product, { device }: LoweringContext): Variant {
  if (device.software) return quadFits(product, device) ? lowerQuad : lowerRegister;
  if (product.m <= SKINNY_ROWS) return lowerSkinny;
  return tiledFits(device) ? lowerTiled : lowerRegister;
}

/** The epilogue as a kernel of its own over the plain product. */
function epilogueInPlace(product: Product, epilogue: Epilogue, context: LoweringContext): Dispatch[] {
  const shape = [product.batch, product.m, product.n];
  const plain = { buffer: product.output, offset: 0, strides: contiguousStrides(shape) };
  const elementwise: ElementwiseKernel = {
    kind: 'elementwise',
    shape,
    inputs: [plain, ...epilogue.views],
    output: plain,
    expression: epilogue.expression,
  };
  return lowerElementwise(elementwise, context);
}
