/** @file Convolution of images [batch, height, width, channels], and its two gradients. */
import { apply, type OpDefinition, type ReferenceArray, type Tensor, type TensorType } from '../graph/node.js';
import { shapeError, showShape, sizeOf } from '../graph/shape.js';
import type { Conv2dShape } from '../program/kernels/index.js';
import { requireDType } from './elementwise.js';

export interface Padding {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

interface Conv2dAttributes {
  stride: readonly [number, number];
  padding: Readonly<Padding>;
}

/** The sizes of a convolution, or an error naming what does not fit. */
function conv2dShape(x: TensorType, weight: TensorType, { stride, padding }: Conv2dAttributes): Conv2dShape {
  const bad = (why: string) => shapeError(`conv2d: x ${showShape(x.shape)}, weight ${showShape(weight.shape)}: ${why}`);
  if (x.shape.length !== 4) throw bad('x must be [batch, height, width, channels]');
  if (weight.shape.length !== 4) throw bad('weight must be [kernelHeight, kernelWidth, channels, outputChannels]');
  const [batch, height, width, channels] = x.shape;
  const [kernelHeight, kernelWidth, inputChannels, outputChannels] = weight.shape;
  if (channels !== inputChannels) throw bad(`x has ${channels} channels, weight reads ${inputChannels}`);
  if (!stride.every((n) => Number.isInteger(n) && n >= 1)) throw bad(`stride ${stride.join(' x ')} must be at least 1`);
  const { top, bottom, left, right } = padding;
  if (![top, bottom, left, right].every((n) => Number.isInteger(n) && n >= 0)) {
    throw bad(`padding ${JSON.stringify(padding)} must be whole numbers of at least 0`);
  }
  const [spanY, spanX] = [height + top + bottom - kernelHeight, width + left + right - kernelWidth];
  if (spanY < 0 || spanX < 0) throw bad('the filter is larger than the padded image');
  return {
    batch,
    height,
    width,
    channels,
    outputHeight: Math.floor(spanY / stride[0]) + 1,
    outputWidth: Math.floor(spanX / stride[1]) + 1,
    outputChannels,
    kernelHeight,
    kernelWidth,
    strideY: stride[0],
    strideX: stride[1],
    padTop: top,
    padLeft: left,
  };
}

/** Inputs x, weight. */
const conv2dOp: OpDefinition<Conv2dAttributes> = {
  name: 'conv2d',
  infer([x, weight], attributes) {
    requireDType('conv2d', x, 'f32');
    requireDType('conv2d(weight)', weight, 'f32');
    const { batch, outputHeight, outputWidth, outputChannels } = conv2dShape(x, weight, attributes);
    return [{ shape: [batch, outputHeight, outputWidth, outputChannels], dtype: 'f32' }];
  },
  reference({ inputs: [x, weight], inputTypes, outputTypes, attributes }) {
    const shape = conv2dShape(inputTypes[0], inputTypes[1], attributes);
    const output = new Float64Array(sizeOf(outputTypes[0].shape));
    forEachTap(shape, (at, out, tap) => {
      for (let c = 0; c < shape.channels; c++) {
        for (let o = 0; o < shape.outputChannels; o++) {
          output[out + o] += x[at + c] * weight[tap + c * shape.outputChannels + o];
        }
      }
    });
    return [output];
  },
  gradient({ inputs: [x, weight], gradients: [g], attributes }) {
    if (!g) return [undefined, undefined];
    return [
      apply(conv2dInputGradOp, [g, weight], { ...attributes, shape: x.shape }),
      apply(conv2dWeightGradOp, [x, g], { ...attributes, shape: weight.shape }),
    ];
  },
  product({ inputs: [image, filters], attributes }) {
    const shape = conv2dShape(image, filters, attributes);
    return {
      space: [1, shape.batch * shape.outputHeight * shape.outputWidth, shape.outputChannels],
      kernel: ([x, weight], output, epilogue) => ({
        kind: 'conv2d',
        ...shape,
        ...{ x, weight, output },
        ...(epilogue ? { epilogue } : {}),
      }),
    };
  },
};

/** `shape`: that of the operand whose gradient this is. */
interface Conv2dGradAttributes extends Conv2dAttributes {
  shape: readonly number[];
}

/** Inputs dOutput, weight; output dx. */
const conv2dInputGradOp: OpDefinition<Conv2dGradAttributes> = {
  name: 'conv2dInputGrad',
  infer: (_, { shape }) => [{ shape, dtype: 'f32' }],
  reference({ inputs: [g, weight], inputTypes, outputTypes, attributes }) {
    const shape = conv2dShape(outputTypes[0], inputTypes[1], attributes);
    const dx = new Float64Array(sizeOf(attributes.shape));
    forEachTap(shape, (at, out, tap) => {
      for (let c = 0; c < shape.channels; c++) {
        dx[at + c] += dot(g, out, weight, tap + c * shape.outputChannels, shape.outputChannels);
      }
    });
    return [dx];
  },
  kernel({ inputs: [, filters], outputs: [image], attributes, reads: [dOutput, weight], writes: [dx] }) {
    return { kind: 'conv2dInputGrad', ...conv2dShape(image, filters, attributes), dOutput, weight, dx };
  },
};

/** Inputs x, dOutput; output dWeight. */
const conv2dWeightGradOp: OpDefinition<Conv2dGradAttributes> = {
  name: 'conv2dWeightGrad',
  infer: (_, { shape }) => [{ shape, dtype: 'f32' }],
  reference({ inputs: [x, g], inputTypes, outputTypes, attributes }) {
    const shape = conv2dShape(inputTypes[0], outputTypes[0], attributes);
    const dWeight = new Float64Array(sizeOf(attributes.shape));
    forEachTap(shape, (at, out, tap) => {
      for (let c = 0; c < shape.channels; c++) {
        for (let o = 0; o < shape.outputChannels; o++) {
          dWeight[tap + c * shape.outputChannels + o] += x[at + c] * g[out + o];
        }
      }
    });
    return [dWeight];
  },
  kernel({ inputs: [image], outputs: [filters], attributes, reads: [x, dOutput], writes: [dWeight] }) {
    return { kind: 'conv2dWeightGrad', ...conv2dShape(image, filters, attributes), x, dOutput, dWeight };
  },
};

function dot(a: ReferenceArray, atA: number, b: ReferenceArray, atB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[atA + i] * b[atB + i];
  return sum;
}

/** Calls `visit` with the element offsets of an input pixel, of an output pixel, and of the filter tap between them. */
function forEachTap(shape: Conv2dShape, visit: (input: number, output: number, tap: number) => void): void {
  const { height, width, channels, outputHeight, outputWidth, outputChannels, kernelHeight, kernelWidth } = shape;
  for (let b = 0; b < shape.batch; b++) {
    for (let y = 0; y < outputHeight; y++) {
      for (let x = 0; x < outputWidth; x++) {
        for (let i = 0; i < kernelHeight; i++) {
          for (let j = 0; j < kernelWidth; j++) {
            const row = y * shape.strideY - shape.padTop + i;
            const column = x * shape.strideX - shape.padLeft + j;
            if (row < 0 || row >= height || column < 0 || column >= width) continue;
            const input = ((b * height + row) * width + column) * channels;
            const output = ((b * outputHeight + y) * outputWidth + x) * outputChannels;
            visit(input, output, (i * kernelWidth + j) * channels * outputChannels);
          }
        }
      }
    }
  }
}

export interface Conv2dOptions {
  /** Pixels between outputs, down and across; default 1. */
  stride?: number | readonly [number, number];
  /** Rows and columns of zeros around the image; default 0. One number pads all four sides. */
  padding?: number | Partial<Padding>;
}

/**
 * Two-dimensional convolution (cross-correlation, as in every deep learning library).
 * @param x [batch, height, width, channels]
 * @param weight [kernelHeight, kernelWidth, channels, outputChannels]
 * @returns [batch, outputHeight, outputWidth, outputChannels], a size being floor((n + padding - kernel) / stride) + 1
 */
export function conv2d(x: Tensor, weight: Tensor, { stride = 1, padding = 0 }: Conv2dOptions = {}): Tensor {
  const sides =
    typeof padding === 'number'
      ? { top: padding, bottom: padding, left: padding, right: padding }
      : { top: 0, bottom: 0, left: 0, right: 0, ...padding };
  return apply(conv2dOp, [x, weight], {
    stride: typeof stride === 'number' ? [stride, stride] : stride,
    padding: sides,
  });
}

/**
 * Repeats every pixel `factor` times down and across.
 * @param x [batch, height, width, channels]
 * @returns [batch, height factor, width factor, channels]
 */
export function upsampleNearest(x: Tensor, factor = 2): Tensor {
  if (x.rank !== 4 || !Number.isInteger(factor) || factor < 1) {
    throw shapeError(
      `upsampleNearest: x must be [batch, height, width, channels] and the factor a whole number of at least 1, got ${showShape(x.shape)} and ${factor}`,
    );
  }
  const [batch, height, width, channels] = x.shape;
  return x
    .reshape([batch, height, 1, width, 1, channels])
    .broadcastTo([batch, height, factor, width, factor, channels])
    .reshape([batch, height * factor, width * factor, channels]);
}
