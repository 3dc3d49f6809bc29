/** @file The choice of a variant for a product. */
import type { ElementwiseKernel, Epilogue } from '@transfusion/tensor';
import type { Dispatch } from '../../lowering.js';
import { lowerElementwise } from '../elementwise.js';
import { contiguousStrides } from '../views.js';
import { productCandidates } from './candidates.js';
import { bindingCount, type Product } from './product.js';
import type { ProductContext } from './variant.js';

/** The dispatches of a product. */
export function lowerProduct(product: Product, context: ProductContext): Dispatch[] {
  // A variant binds both operands and the output beside the epilogue's views.
  if (product.epilogue && bindingCount(product) > context.device.maxStorageBuffers) {
    const plain = lowerProduct({ ...product, epilogue: undefined }, context);
    return [...plain, ...epilogueInPlace(product, product.epilogue, context)];
  }
  const variant = context.chooseVariant?.(product, context) ?? productCandidates(product, context)[0];
  return variant.lower(product, context);
}

/** The epilogue as a kernel of its own over the plain product. */
function epilogueInPlace(product: Product, epilogue: Epilogue, context: ProductContext): Dispatch[] {
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
