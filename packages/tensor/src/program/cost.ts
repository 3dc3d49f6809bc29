/** @file What a kernel costs at least: arithmetic, and bytes read and written once. */
import type { Kernel, View } from './kernels.js';
import { bufferBytes, type Program } from './program.js';

/** Floating-point operations of a kernel: products exactly (a convolution's padding counted), attention as if half of the keys were visible. */
export function kernelFlops(kernel: Kernel): number {
  if (kernel.kind === 'matmul') return 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  if (kernel.kind === 'conv2d' || kernel.kind === 'conv2dInputGrad' || kernel.kind === 'conv2dWeightGrad') {
    const outputs = kernel.batch * kernel.outputHeight * kernel.outputWidth * kernel.outputChannels;
    return 2 * outputs * kernel.kernelHeight * kernel.kernelWidth * kernel.channels;
  }
  if (kernel.kind === 'attention' || kernel.kind === 'attentionGrad') {
    const pairs = (kernel.batch * kernel.heads * kernel.queries * kernel.keys) / 2;
    return pairs * kernel.headDim * (kernel.kind === 'attention' ? 4 : 10);
  }
  return 0;
}

/** Bytes that a kernel reads and writes if it touches every element once. */
export function kernelBytes(kernel: Kernel, { buffers }: Pick<Program, 'buffers'>): number {
  const whole = (buffer: number) => bufferBytes(buffers[buffer]);
  const wholes = (...operands: number[]) => [...new Set(operands)].reduce((sum, buffer) => sum + whole(buffer), 0);
  const viewed = (shape: readonly number[], views: readonly View[]) =>
    views.reduce((sum, { buffer, strides }) => {
      const elements = shape.reduce((product, length, axis) => product * (strides[axis] === 0 ? 1 : length), 1);
      return sum + elements * (buffers[buffer].dtype === 'f16' ? 2 : 4);
    }, 0);
  switch (kernel.kind) {
    case 'elementwise':
      return viewed(kernel.shape, [...kernel.inputs, kernel.output]);
    case 'reduce':
      return viewed(kernel.shape, kernel.inputs) + whole(kernel.output);
    case 'matmul': {
      const views = kernel.epilogue?.views ?? [];
      const { batch, m, n } = kernel;
      return wholes(kernel.a.buffer, kernel.b.buffer, kernel.output) + viewed([batch, m, n], views);
    }
    case 'conv2d': {
      const views = kernel.epilogue?.views ?? [];
      const pixels = kernel.batch * kernel.outputHeight * kernel.outputWidth;
      return wholes(kernel.x, kernel.weight, kernel.output) + viewed([1, pixels, kernel.outputChannels], views);
    }
    case 'conv2dInputGrad':
      return wholes(kernel.dOutput, kernel.weight, kernel.dx);
    case 'conv2dWeightGrad':
      return wholes(kernel.x, kernel.dOutput, kernel.dWeight);
    case 'gather':
      return 2 * whole(kernel.output) + whole(kernel.indices);
    case 'scatterAdd':
      return wholes(kernel.updates, kernel.indices, kernel.output);
    case 'writeRows':
      return 2 * whole(kernel.values) + whole(kernel.indices);
    case 'softmax':
      return wholes(kernel.input, kernel.output);
    case 'softmaxGrad':
      return wholes(kernel.y, kernel.dy, kernel.dx);
    case 'rmsNorm':
      return wholes(kernel.x, kernel.weight, kernel.output, kernel.rstd);
    case 'rmsNormGrad':
      return wholes(kernel.x, kernel.weight, kernel.rstd, kernel.dy, kernel.dx);
    case 'groupNorm':
      return wholes(kernel.x, kernel.weight, kernel.bias, kernel.output, kernel.mean, kernel.rstd);
    case 'groupNormGrad':
      return wholes(kernel.x, kernel.weight, kernel.mean, kernel.rstd, kernel.dy, kernel.dx);
    case 'rope':
      return wholes(kernel.x, kernel.positions, kernel.output);
    case 'attention':
      return wholes(kernel.q, kernel.k, kernel.v, kernel.output, kernel.lse);
    case 'attentionGrad':
      return wholes(
        kernel.q,
        kernel.k,
        kernel.v,
        kernel.lse,
        kernel.delta,
        kernel.dOutput,
        kernel.dq,
        kernel.dk,
        kernel.dv,
      );
    case 'crossEntropy':
      return wholes(kernel.logits, kernel.targets, kernel.loss, kernel.lse);
    case 'crossEntropyGrad':
      return wholes(kernel.logits, kernel.targets, kernel.lse, kernel.dLoss, kernel.dLogits);
    case 'adamw':
      // Parameter and moments are read and written.
      return wholes(kernel.gradient) + 2 * wholes(kernel.parameter, kernel.m, kernel.v);
    case 'random':
      return whole(kernel.output);
  }
}
