/** @file Convolutions of images, and their two gradients. */
import { type KernelDescriptor, reads, writes } from './descriptor.js';
import type { BufferIndex, Epilogue } from './operand.js';

/**
 * The sizes of a convolution of images [batch, height, width, channels] with filters
 * [kernelHeight, kernelWidth, channels, outputChannels] into [batch, outputHeight, outputWidth, outputChannels].
 * Output (y, x) reads input row y strideY - padTop + i for every filter row i, and columns likewise; what lies outside
 * the image is zero. (Padding below and to the right follows from the output's size.)
 */
export interface Conv2dShape {
  batch: number;
  height: number;
  width: number;
  channels: number;
  outputHeight: number;
  outputWidth: number;
  outputChannels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideY: number;
  strideX: number;
  padTop: number;
  padLeft: number;
}

/** output = epilogue(convolution of x with weight); iteration space [1, batch outputHeight outputWidth, outputChannels]. */
export interface Conv2dKernel extends Conv2dShape {
  kind: 'conv2d';
  x: BufferIndex;
  weight: BufferIndex;
  output: BufferIndex;
  epilogue?: Epilogue;
}

/** A multiply-add for every tap, channel and output; those that read padding are counted. */
function convolutionFlops(shape: Conv2dShape): number {
  const outputs = shape.batch * shape.outputHeight * shape.outputWidth * shape.outputChannels;
  return 2 * outputs * shape.kernelHeight * shape.kernelWidth * shape.channels;
}

export const conv2d: KernelDescriptor<Conv2dKernel> = {
  family: 'product',
  operands: {
    x: reads('activation'),
    weight: reads('activation'),
    epilogue: reads('plain'),
    output: writes('activation'),
  },
  space: ({ batch, outputHeight, outputWidth, outputChannels }) => [
    1,
    batch * outputHeight * outputWidth,
    outputChannels,
  ],
  flops: convolutionFlops,
};

/** dx[b, y, x, c] = sum of dOutput[b, y', x', o] weight[i, j, c, o] over all outputs and taps that read (y, x). */
export interface Conv2dInputGradKernel extends Conv2dShape {
  kind: 'conv2dInputGrad';
  dOutput: BufferIndex;
  weight: BufferIndex;
  dx: BufferIndex;
}

export const conv2dInputGrad: KernelDescriptor<Conv2dInputGradKernel> = {
  family: 'product',
  operands: { dOutput: reads('activation'), weight: reads('activation'), dx: writes('activation') },
  flops: convolutionFlops,
};

/** dWeight[i, j, c, o] = sum over b, y, x of dOutput[b, y, x, o] times the input that tap (i, j) reads there. */
export interface Conv2dWeightGradKernel extends Conv2dShape {
  kind: 'conv2dWeightGrad';
  x: BufferIndex;
  dOutput: BufferIndex;
  dWeight: BufferIndex;
}

export const conv2dWeightGrad: KernelDescriptor<Conv2dWeightGradKernel> = {
  family: 'product',
  operands: { x: reads('activation'), dOutput: reads('activation'), dWeight: writes('exact') },
  flops: convolutionFlops,
};
