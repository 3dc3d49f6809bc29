/**
 * @file Convolution of images [batch, height, width, channels] with filters [kernelHeight, kernelWidth, channels,
 * outputChannels] and its two gradients, each as a product whose operands gather what they need from the images.
 */
import type { Conv2dInputGradKernel, Conv2dKernel, Conv2dShape, Conv2dWeightGradKernel } from '@transfusion/tensor';
import type { Dispatch } from '../../lowering.js';
import { lowerProduct } from '../products/lower-product.js';
import { matrixOperand } from '../products/matrix-operand.js';
import type { Operand } from '../products/product.js';
import type { ProductContext } from '../products/variant.js';
import { inputPatches, outputPatches } from './image-operands.js';
import { turnedFilters } from './turned-filters.js';

/** output [pixels, outputChannels] = patches [pixels, taps channels] @ filters */
export function lowerConv2d(kernel: Conv2dKernel, context: ProductContext): Dispatch[] {
  const { x, weight, output, epilogue } = kernel;
  const product = {
    label: label(kernel, 'conv2d'),
    batch: 1,
    m: outputPixels(kernel),
    n: kernel.outputChannels,
    k: taps(kernel) * kernel.channels,
    a: inputPatches(kernel, { buffer: x, name: 'image', roles: { pixel: 'side', tap: 'depth' } }),
    b: rowMajor('filters', weight, kernel.outputChannels),
    output,
    epilogue,
  };
  return lowerProduct(product, context);
}

/** dx [pixels of the input, channels] = patches of the gradient [pixels, taps outputChannels] @ filters, turned */
export function lowerConv2dInputGrad(kernel: Conv2dInputGradKernel, context: ProductContext): Dispatch[] {
  const { dOutput, weight, dx } = kernel;
  const product = {
    label: label(kernel, 'conv2dInputGrad'),
    batch: 1,
    m: kernel.batch * kernel.height * kernel.width,
    n: kernel.channels,
    k: taps(kernel) * kernel.outputChannels,
    a: outputPatches(kernel, { buffer: dOutput, name: 'gradient', roles: { pixel: 'side', tap: 'depth' } }),
    b: turnedFilters(kernel, weight),
    output: dx,
  };
  return lowerProduct(product, context);
}

/** dWeight [taps channels, outputChannels] = patches^T @ gradient [pixels, outputChannels] */
export function lowerConv2dWeightGrad(kernel: Conv2dWeightGradKernel, context: ProductContext): Dispatch[] {
  const { x, dOutput, dWeight } = kernel;
  const product = {
    label: label(kernel, 'conv2dWeightGrad'),
    batch: 1,
    m: taps(kernel) * kernel.channels,
    n: kernel.outputChannels,
    k: outputPixels(kernel),
    a: inputPatches(kernel, { buffer: x, name: 'image', roles: { pixel: 'depth', tap: 'side' } }),
    b: rowMajor('gradient', dOutput, kernel.outputChannels),
    output: dWeight,
  };
  return lowerProduct(product, context);
}

function outputPixels({ batch, outputHeight, outputWidth }: Conv2dShape): number {
  return batch * outputHeight * outputWidth;
}

function taps({ kernelHeight, kernelWidth }: Conv2dShape): number {
  return kernelHeight * kernelWidth;
}

/** A matrix [k, columns]. */
function rowMajor(name: string, buffer: number, columns: number): Operand {
  return matrixOperand({ name, buffer, sideStride: 1, depthStride: columns, contiguousLength: columns });
}

function label(shape: Conv2dShape, kind: string): string {
  const { kernelHeight, kernelWidth, channels, outputChannels, outputHeight, outputWidth } = shape;
  return `${kind} ${kernelHeight}x${kernelWidth} ${channels}-${outputChannels} to ${outputHeight}x${outputWidth}`;
}
