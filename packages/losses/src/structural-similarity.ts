/** @file SSIM (Wang, Bovik, Sheikh and Simoncelli 2004) as a differentiable term: a perceptual loss that needs no weights. */
import { TransfusionError } from '@transfusion/core';
import { constant, type Tensor } from '@transfusion/tensor';

const WINDOW = 11;
const WINDOW_DEVIATION = 1.5;
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

/**
 * The mean structural similarity of each pair of images [images, height, width, channels] in [-1, 1]: [images], 1 where they
 * are equal. Gaussian windows of 11 that lie inside the image, every channel by itself, brightness from 0 to 1.
 *
 * @throws TransfusionError SSIM_IMAGE_SIZE: a side is below 11
 */
export function structuralSimilarity(a: Tensor, b: Tensor): Tensor {
  const blur = windowMeans(a);
  const [x, y] = [a, b].map((images) => images.add(1).mul(0.5));
  const [meanX, meanY] = [blur(x), blur(y)];
  const means = meanX.mul(meanY);
  const squaredMeans = meanX.square().add(meanY.square());
  const covariance = blur(x.mul(y)).sub(means);
  const variances = blur(x.square().add(y.square())).sub(squaredMeans);
  const luminance = means.mul(2).add(C1).div(squaredMeans.add(C1));
  const structure = covariance.mul(2).add(C2).div(variances.add(C2));
  return luminance.mul(structure).mean([1, 2]);
}

/** The weighted means of all windows, as two matrix products: [images, width' channels, height']. */
function windowMeans({ shape }: Tensor): (images: Tensor) => Tensor {
  const [count, height, width, channels] = shape;
  if (height < WINDOW || width < WINDOW) {
    throw new TransfusionError({
      code: 'SSIM_IMAGE_SIZE',
      message: `structuralSimilarity: images are ${width} x ${height}, its windows need at least ${WINDOW} x ${WINDOW}`,
      fix: 'enlarge them, or leave the term out',
    });
  }
  const rows = windowMatrix(height, 1);
  const columns = windowMatrix(width, channels);
  return (images) =>
    images
      .reshape([count * height, width * channels])
      .matmul(columns)
      .reshape([count, height, (width - WINDOW + 1) * channels])
      .matmul(rows, { transposeA: true });
}

/** [size channels, (size - 10) channels]: column (i, c) has the window's weights in rows (i, c) to (i + 10, c). */
function windowMatrix(size: number, channels: number): Tensor {
  const weights = gaussianWindow();
  const windows = size - WINDOW + 1;
  const matrix = new Float32Array(size * channels * windows * channels);
  for (let i = 0; i < windows; i++) {
    for (let c = 0; c < channels; c++) {
      weights.forEach((weight, k) => {
        matrix[((i + k) * channels + c) * windows * channels + i * channels + c] = weight;
      });
    }
  }
  return constant(matrix, [size * channels, windows * channels]);
}

function gaussianWindow(): number[] {
  const weights = Array.from({ length: WINDOW }, (_, k) =>
    Math.exp(-((k - (WINDOW - 1) / 2) ** 2) / (2 * WINDOW_DEVIATION ** 2)),
  );
  const sum = weights.reduce((total, weight) => total + weight);
  return weights.map((weight) => weight / sum);
}
