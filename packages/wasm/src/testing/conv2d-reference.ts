/** @file Convolutions in f64, by their definition. */
import type { Conv2dShape } from '@transfusion/tensor';

type Numbers = ArrayLike<number>;

/** Calls `visit` with the offsets of an input pixel, an output pixel and the filter tap between them. */
function forEachTap(shape: Conv2dShape, visit: (input: number, output: number, tap: number) => void): void {
  const { batch, height, width, channels, outputHeight, outputWidth, outputChannels } = shape;
  for (let output = 0; output < batch * outputHeight * outputWidth; output++) {
    const image = Math.floor(output / (outputHeight * outputWidth));
    const top = (Math.floor(output / outputWidth) % outputHeight) * shape.strideY - shape.padTop;
    const left = (output % outputWidth) * shape.strideX - shape.padLeft;
    for (let tap = 0; tap < shape.kernelHeight * shape.kernelWidth; tap++) {
      const y = top + Math.floor(tap / shape.kernelWidth);
      const x = left + (tap % shape.kernelWidth);
      if (y < 0 || y >= height || x < 0 || x >= width) continue;
      const input = ((image * height + y) * width + x) * channels;
      visit(input, output * outputChannels, tap * channels * outputChannels);
    }
  }
}

/** The convolution of x with weight, and the gradients that `dOutput` gives both. */
export function conv2dReference(shape: Conv2dShape, x: Numbers, weight: Numbers, dOutput: Numbers) {
  const { channels, outputChannels } = shape;
  const output = new Float64Array(dOutput.length);
  const dx = new Float64Array(x.length);
  const dWeight = new Float64Array(weight.length);
  forEachTap(shape, (input, out, tap) => {
    for (let c = 0; c < channels; c++) {
      for (let o = 0; o < outputChannels; o++) {
        const w = tap + c * outputChannels + o;
        output[out + o] += x[input + c] * weight[w];
        dx[input + c] += dOutput[out + o] * weight[w];
        dWeight[w] += x[input + c] * dOutput[out + o];
      }
    }
  });
  return { output, dx, dWeight };
}
