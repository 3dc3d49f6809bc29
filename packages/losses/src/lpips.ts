/**
 * @file LPIPS (Zhang et al. 2018, arXiv 1801.03924): how far apart two images are to the eye, by the features of a VGG16
 * network (Simonyan and Zisserman 2014), each position's normalised, compared with learned weights.
 */
import { TransfusionError } from '@transfusion/core';
import { type ConvolutionParameters, convolution, filterFromStored, relu, storedFilterShape } from '@transfusion/nn';
import { constant, showShape, type Tensor } from '@transfusion/tensor';

/** Convolutions of VGG16 before each of its five taps: their numbers in torchvision's `features`. */
const LEVELS = [
  [0, 2],
  [5, 7],
  [10, 12, 14],
  [17, 19, 21],
  [24, 26, 28],
];
const VGG16_CHANNELS = [64, 128, 256, 512, 512];

/** From [-1, 1] to the numbers that VGG16 was trained on. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];
const EPSILON = 1e-10;
/** Four poolings must leave a pixel. */
const LEAST_SIZE = 16;

export interface LpipsParameters<T = Tensor> {
  /** For each level, its convolutions. */
  levels: ConvolutionParameters<T>[][];
  /** For each level, the weight of each channel, [channels]; not negative. */
  lin: T[];
}

/**
 * The distance of each pair of images [images, height, width, 3] in [-1, 1]: [images].
 *
 * @throws TransfusionError LPIPS_IMAGE_SIZE: a side is below 16
 */
export function lpips(p: LpipsParameters, a: Tensor, b: Tensor): Tensor {
  checkSize(a);
  const [left, right] = [featuresOf(p, a), featuresOf(p, b)];
  return left
    .map((features, level) => {
      const difference = features.sub(right[level]).square().mul(p.lin[level]); // [images, h, w, channels]
      return difference.sum(3).mean([1, 2]);
    })
    .reduce((sum, each) => sum.add(each));
}

/** The outputs of relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3, of unit length at every position. */
function featuresOf(p: LpipsParameters, images: Tensor): Tensor[] {
  const [shift, scale] = [SHIFT, SCALE].map((numbers) => constant(Float32Array.from(numbers), [3]));
  let x = images.sub(shift).div(scale);
  return p.levels.map((convolutions, level) => {
    if (level > 0) x = maxPool(x);
    for (const each of convolutions) x = relu(convolution(each, x, { padding: 1 }));
    return unitLength(x);
  });
}

/** 2 x 2; an odd last row or column is dropped. */
function maxPool(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  return x
    .slice(1, 0, 2 * rows)
    .slice(2, 0, 2 * columns)
    .reshape([batch, rows, 2, columns, 2, channels])
    .max([2, 4]);
}

/** Small numbers inside the root, too: features may all be 0, and the slope of the root there is infinite. */
function unitLength(x: Tensor): Tensor {
  const length = x
    .square()
    .sum(3, true)
    .add(EPSILON ** 2)
    .sqrt();
  return x.div(length.add(EPSILON));
}

function checkSize(images: Tensor): void {
  const [, height, width] = images.shape;
  if (height >= LEAST_SIZE && width >= LEAST_SIZE) return;
  throw new TransfusionError({
    code: 'LPIPS_IMAGE_SIZE',
    message: `lpips: images are ${width} x ${height}, VGG16's four poolings need at least ${LEAST_SIZE} x ${LEAST_SIZE}`,
    fix: 'enlarge them, or leave the term out',
  });
}

/** A tensor of a file. */
export interface StoredTensor {
  shape: readonly number[];
  data: Float32Array;
}

/**
 * LPIPS weights from a safetensors file's tensors: `vgg16.features.N.weight` [outputs, inputs, 3, 3] and `.bias` for
 * torchvision's N, `lin0.weight` to `lin4.weight` [1, channels, 1, 1]. `scripts/convert_lpips.py` makes such a file.
 *
 * @param options.channels of each level; default VGG16's
 * @returns arrays, and their shapes in `shapes`: both trees like the parameters
 * @throws TransfusionError LPIPS_WEIGHTS: a tensor is missing or has another shape
 */
export function lpipsWeights(options: {
  tensors: ReadonlyMap<string, StoredTensor>;
  where?: string;
  channels?: readonly number[];
}): LpipsParameters<{ shape: number[]; data: Float32Array }> {
  const { tensors, where = 'LPIPS weights', channels = VGG16_CHANNELS } = options;
  const read = (name: string, shape: readonly number[]) => {
    const found = tensors.get(name);
    if (found && found.shape.join() === shape.join()) return found.data;
    throw new TransfusionError({
      code: 'LPIPS_WEIGHTS',
      message: `${where}: ${name} ${found ? `is ${showShape(found.shape)}` : 'is missing'}, expected ${showShape(shape)}`,
      fix: 'make the file with packages/losses/scripts/convert_lpips.py',
    });
  };
  const layer = (n: number, inputs: number, outputs: number) => {
    const name = `vgg16.features.${n}`;
    const shape = [3, 3, inputs, outputs];
    return {
      weight: { shape, data: filterFromStored(read(`${name}.weight`, storedFilterShape(shape)), shape) },
      bias: { shape: [outputs], data: read(`${name}.bias`, [outputs]) },
    };
  };
  return {
    levels: LEVELS.map((numbers, level) =>
      numbers.map((n, i) => layer(n, i > 0 ? channels[level] : (channels[level - 1] ?? 3), channels[level])),
    ),
    lin: channels.map((width, level) => ({ shape: [width], data: read(`lin${level}.weight`, [1, width, 1, 1]) })),
  };
}
