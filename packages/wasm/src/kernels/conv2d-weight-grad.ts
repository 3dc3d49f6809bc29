/** @file The gradient of a convolution by its filters; `assembly/conv2d-weight-grad.ts` runs it. */
import type { Conv2dWeightGradKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { TILE_ROWS } from '../layout.js';
import { frameImages } from './conv2d-frame.js';
import { type PackedOperand, packCommand, packedBytes } from './matmul-pack.js';
import { combineCommand } from './product-output.js';

/** Below this, handing out a unit costs more than it gains. */
const LEAST_UNIT_FLOPS = 1e6;
/** Units wanted of a large gradient, so that many threads are evenly loaded. */
const UNITS_WANTED = 64;
/** Pixels in the least part of the depth, and pixels handled at a time: their quads and a panel stay in the L1 cache. */
const LEAST_PART_PIXELS = 256;
const PIXELS_AT_ONCE = 256;

export function encodeConv2dWeightGrad(kernel: Conv2dWeightGradKernel, context: EncodeContext): Command[] {
  const { batch, channels, outputChannels, outputHeight, outputWidth, kernelHeight, kernelWidth } = kernel;
  const frame = frameImages(
    {
      ...kernel,
      address: context.address(kernel.x),
      top: kernel.padTop,
      left: kernel.padLeft,
      frameHeight: (outputHeight - 1) * kernel.strideY + kernelHeight,
      frameWidth: (outputWidth - 1) * kernel.strideX + kernelWidth,
      inPlanes: true,
    },
    context,
  );
  const pixels = batch * outputHeight * outputWidth;
  const panels = { extent: outputChannels, depth: pixels, lanes: context.tileColumns };
  const gradient: PackedOperand = {
    ...panels,
    source: context.address(kernel.dOutput),
    target: context.scratch(packedBytes(panels)),
    matrices: 1,
    sourceMatrixBytes: 0,
    targetMatrixBytes: 0,
    alongPanel: 4,
    alongDepth: outputChannels * 4,
    targetPanelBytes: pixels * context.tileColumns * 4,
  };
  const depth = kernelWidth * channels;
  const quadsPerRow = Math.ceil(depth / TILE_ROWS);
  const plan = planUnits(kernel, quadsPerRow * kernelHeight);
  const elements = kernelHeight * depth * outputChannels;
  const result = context.address(kernel.dWeight);
  const target = plan.parts === 1 ? result : context.scratch(plan.parts * elements * 4);
  const commands: Command[] = [
    ...frame.commands,
    packCommand([gradient]),
    {
      kernel: KernelId.conv2dWeightGrad,
      tiles: Math.ceil(plan.units / plan.unitsPerTile),
      args: [
        ...[plan.units, plan.unitsPerTile, plan.quadsPerBlock, plan.blocks, quadsPerRow, quadsPerRow * kernelHeight],
        ...[plan.linesPerPart, batch * outputHeight, depth, outputChannels, frame.address, frame.imageBytes],
        ...[
          frame.rowBytes,
          kernel.strideX * frame.pixelBytes,
          kernel.strideY * frame.rowBytes,
          outputWidth,
          outputHeight,
        ],
        ...[gradient.target, Math.max(1, Math.floor(PIXELS_AT_ONCE / outputWidth)), target, elements * 4],
        ...[frame.planeBytes, channels],
      ],
    },
  ];
  if (plan.parts > 1) commands.push(combineCommand({ elements, parts: plan.parts, partial: target, target: result }));
  return commands;
}

/** Blocks of quads first; where those are few, the output rows are cut into parts too. */
function planUnits(kernel: Conv2dWeightGradKernel, quads: number) {
  const { batch, outputHeight, outputWidth, outputChannels } = kernel;
  const lines = batch * outputHeight;
  const flops = 2 * quads * TILE_ROWS * lines * outputWidth * outputChannels;
  const wanted = Math.min(UNITS_WANTED, Math.max(1, Math.floor(flops / LEAST_UNIT_FLOPS)));
  const quadsPerBlock = Math.ceil(quads / Math.min(wanted, Math.ceil(quads / 4)));
  const blocks = Math.ceil(quads / quadsPerBlock);
  const mostParts = Math.max(1, Math.floor((lines * outputWidth) / LEAST_PART_PIXELS));
  const linesPerPart = Math.ceil(lines / Math.min(mostParts, lines, Math.max(1, Math.floor(wanted / blocks))));
  const parts = Math.ceil(lines / linesPerPart);
  const units = blocks * parts;
  const unitsPerTile = Math.max(1, Math.floor((LEAST_UNIT_FLOPS * units) / flops));
  return { quadsPerBlock, blocks, linesPerPart, parts, units, unitsPerTile: Math.min(units, unitsPerTile) };
}
