import type { Conv2dShape } from '@transfusion/tensor';
import { conv2dReference } from '../testing/conv2d-reference.js';
import { useKernelRunner } from '../testing/kernel-runner.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

const square = (size: number, changes: Partial<Conv2dShape> = {}): Conv2dShape => {
  const shape = {
    batch: 1,
    height: size,
    width: size,
    channels: 8,
    outputChannels: 8,
    kernelHeight: 3,
    kernelWidth: 3,
    strideY: 1,
    strideX: 1,
    padTop: 1,
    padLeft: 1,
    ...changes,
  };
  const outputs = (n: number, kernel: number, stride: number, pad: number) =>
    Math.floor((n + 2 * pad - kernel) / stride) + 1;
  return {
    ...shape,
    outputHeight: outputs(shape.height, shape.kernelHeight, shape.strideY, shape.padTop),
    outputWidth: outputs(shape.width, shape.kernelWidth, shape.strideX, shape.padLeft),
    ...changes,
  };
};

/** Several tiles each, so that two threads share them; blocks and panels that do not divide. */
const shapes: [string, Conv2dShape][] = [
  ['3x3, 32 to 40 channels, two images', square(24, { batch: 2, channels: 32, outputChannels: 40 })],
  ['3x3, 3 to 64 channels', square(40, { channels: 3, outputChannels: 64 })],
  ['3x3, 64 to 3 channels', square(33, { channels: 64, outputChannels: 3 })],
  [
    '3x3, stride 2, padded below and right',
    square(32, {
      channels: 32,
      outputChannels: 33,
      strideY: 2,
      strideX: 2,
      padTop: 0,
      padLeft: 0,
      outputHeight: 16,
      outputWidth: 16,
    }),
  ],
  [
    '1x1, 130 to 70 channels',
    square(17, { channels: 130, outputChannels: 70, kernelHeight: 1, kernelWidth: 1, padTop: 0, padLeft: 0 }),
  ],
  ['3x3, 256 channels of a small image', square(6, { channels: 256, outputChannels: 256 })],
  ['filter far outside its image', square(3, { kernelHeight: 2, kernelWidth: 7, padTop: 4, padLeft: 6, strideX: 3 })],
];

test.each(shapes)('%s: forward and both gradients, the same bits on any threads', async (_, shape) => {
  const { batch, height, width, channels, outputHeight, outputWidth, outputChannels, kernelHeight, kernelWidth } =
    shape;
  const x = floats(batch * height * width * channels, 1);
  const weight = floats(kernelHeight * kernelWidth * channels * outputChannels, 2);
  const dOutput = floats(batch * outputHeight * outputWidth * outputChannels, 3);
  const { output, dx, dWeight } = conv2dReference(shape, x, weight, dOutput);
  const tolerance = {
    absolute: 3e-6 * Math.sqrt(Math.max(kernelHeight * kernelWidth * 256, batch * outputHeight * outputWidth)),
    relative: 1e-5,
  };
  await runner.check(
    {
      inputs: { x, weight },
      outputs: { output: output.length },
      kernel: (buffers) => ({ kind: 'conv2d', ...shape, ...buffers }),
    },
    { output },
    tolerance,
  );
  await runner.check(
    {
      inputs: { dOutput, weight },
      outputs: { dx: dx.length },
      kernel: (buffers) => ({ kind: 'conv2dInputGrad', ...shape, ...buffers }),
    },
    { dx },
    tolerance,
  );
  await runner.check(
    {
      inputs: { x, dOutput },
      outputs: { dWeight: dWeight.length },
      kernel: (buffers) => ({ kind: 'conv2dWeightGrad', ...shape, ...buffers }),
    },
    { dWeight },
    tolerance,
  );
});
