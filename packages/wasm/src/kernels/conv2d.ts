/**
 * @file Convolutions and their gradients by the input: the image is copied into a frame of zeros (unless it needs none), the
 * filters are packed into panels, and register tiles multiply the two. The gradient by the input is the convolution of
 * the output's gradient, its pixels moved apart by the stride, with the filters turned around.
 */
import type { Conv2dInputGradKernel, Conv2dKernel, Conv2dShape } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import type { EncodedExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { type FrameOptions, frameImages } from './conv2d-frame.js';
import { type PackedOperand, packCommand, packedBytes } from './matmul-pack.js';
import { planBlocks } from './matmul-plan.js';
import { encodeEpilogue, withOutput } from './product-output.js';

/** Depth handled at a time, unless a filter row is deeper: a panel of it is at most 32 KiB. */
const DEPTH_AT_ONCE = 512;

export function encodeConv2d(kernel: Conv2dKernel, context: EncodeContext): Command[] {
  const { batch, channels, outputChannels, outputHeight, outputWidth, kernelHeight, kernelWidth } = kernel;
  const space = [1, batch * outputHeight * outputWidth, outputChannels];
  const depth = kernelHeight * kernelWidth * channels;
  const panels = { extent: outputChannels, depth, lanes: context.tileColumns };
  const filters: PackedOperand = {
    ...panels,
    source: context.address(kernel.weight),
    target: context.scratch(packedBytes(panels)),
    matrices: 1,
    sourceMatrixBytes: 0,
    targetMatrixBytes: 0,
    alongPanel: 4,
    alongDepth: outputChannels * 4,
    targetPanelBytes: depth * context.tileColumns * 4,
  };
  return convolve(
    {
      image: {
        ...kernel,
        address: context.address(kernel.x),
        top: kernel.padTop,
        left: kernel.padLeft,
        frameHeight: (outputHeight - 1) * kernel.strideY + kernelHeight,
        frameWidth: (outputWidth - 1) * kernel.strideX + kernelWidth,
      },
      shape: kernel,
      filters,
      output: context.address(kernel.output),
      epilogue: encodeEpilogue(kernel.epilogue, space, kernel.output, context),
    },
    context,
  );
}

export function encodeConv2dInputGrad(kernel: Conv2dInputGradKernel, context: EncodeContext): Command[] {
  const { height, width, channels, outputChannels, kernelHeight, kernelWidth } = kernel;
  const taps = kernelHeight * kernelWidth;
  const tapBytes = channels * outputChannels * 4;
  const panels = { extent: channels, depth: outputChannels, lanes: context.tileColumns };
  const filters: PackedOperand = {
    ...panels,
    // The last tap comes first.
    source: context.address(kernel.weight) + (taps - 1) * tapBytes,
    target: context.scratch(taps * packedBytes(panels)),
    matrices: taps,
    sourceMatrixBytes: -tapBytes,
    targetMatrixBytes: outputChannels * context.tileColumns * 4,
    alongPanel: outputChannels * 4,
    alongDepth: 4,
    targetPanelBytes: taps * outputChannels * context.tileColumns * 4,
  };
  return convolve(
    {
      image: {
        batch: kernel.batch,
        height: kernel.outputHeight,
        width: kernel.outputWidth,
        channels: outputChannels,
        address: context.address(kernel.dOutput),
        top: kernelHeight - 1 - kernel.padTop,
        left: kernelWidth - 1 - kernel.padLeft,
        dilationY: kernel.strideY,
        dilationX: kernel.strideX,
        frameHeight: height + kernelHeight - 1,
        frameWidth: width + kernelWidth - 1,
      },
      shape: {
        ...kernel,
        channels: outputChannels,
        outputHeight: height,
        outputWidth: width,
        outputChannels: channels,
        strideY: 1,
        strideX: 1,
      },
      filters,
      output: context.address(kernel.dx),
    },
    context,
  );
}

interface Convolution {
  image: FrameOptions;
  /** Of the product: its channels are those of `image`. */
  shape: Omit<Conv2dShape, 'height' | 'width' | 'padTop' | 'padLeft'>;
  filters: PackedOperand;
  output: number;
  epilogue?: EncodedExpression;
}

function convolve({ image, shape, filters, output, epilogue }: Convolution, context: EncodeContext): Command[] {
  const { batch, channels, outputHeight, outputWidth, outputChannels, kernelHeight, kernelWidth } = shape;
  const frame = frameImages(image, context);
  const m = batch * outputHeight * outputWidth;
  const depth = kernelWidth * channels;
  const plan = planBlocks({ batch: 1, m, n: outputChannels, k: kernelHeight * depth }, { cutDepth: false });
  const units = plan.rowBlocks * plan.columnBlocks;
  const pixelBytes = channels * 4;
  const words = [
    ...[m, outputChannels, units, plan.unitsPerTile, plan.blockRows, plan.blockColumns],
    ...[plan.rowBlocks, plan.columnBlocks, frame.address, frame.imageBytes, frame.rowBytes],
    ...[shape.strideX * pixelBytes, shape.strideY * frame.rowBytes, outputWidth, outputHeight],
    ...[kernelHeight, depth, filters.target, Math.max(1, Math.floor(DEPTH_AT_ONCE / depth))],
  ];
  return [
    ...frame.commands,
    packCommand([filters]),
    {
      kernel: KernelId.conv2d,
      tiles: Math.ceil(units / plan.unitsPerTile),
      args: withOutput(words, { address: output, epilogue }),
    },
  ];
}
