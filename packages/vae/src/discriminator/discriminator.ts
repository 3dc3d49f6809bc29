/**
 * @file The patch discriminator of pix2pix (Isola et al. 2017, arXiv 1611.07004, appendix 6.1.2) as Esser et al. 2021 train
 * autoencoders with it: every output sees one patch of the image, and says whether it is real.
 *
 *   image -> [conv 4x4, stride 2 -> norm -> LeakyReLU 0.2] x layers -> the same with stride 1 -> conv 4x4 -> logits
 *
 * Their norm is batch norm, or ActNorm. Batch norm makes images of a batch depend on each other and needs running
 * statistics; here it is ActNorm, or none. The first convolution has no norm, as theirs.
 */
import { TransfusionError } from '@transfusion/core';
import { type ConvolutionParameters, convolution, convolutionSpec, leakyRelu, ParameterSpec } from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';

export interface DiscriminatorConfig {
  /** Channels of the first layer; they double up to eightfold. Default 64. */
  channels?: number;
  /** Convolutions of stride 2. Default 3, whose outputs see 70 x 70 pixels. */
  layers?: number;
  /** 'actnorm': gain and shift of each channel, started from a batch (`initialActNorm`). Default 'none'. */
  norm?: 'none' | 'actnorm';
}

/** scale (x + loc), per channel (Kingma and Dhariwal 2018, section 3.1). Both [channels]. */
export interface ActNormParameters<T = Tensor> {
  loc: T;
  scale: T;
}

export interface DiscriminatorParameters<T = Tensor> {
  layers: { conv: ConvolutionParameters<T>; norm?: ActNormParameters<T> }[];
  output: ConvolutionParameters<T>;
}

const KERNEL = 4;
const SLOPE = 0.2;
const STD = 0.02;

/** Shapes and initialisers: normal of deviation 0.02, as in pix2pix. */
export function discriminatorSpec(config: DiscriminatorConfig = {}): DiscriminatorParameters<ParameterSpec> {
  const { channels = 64, layers = 3, norm = 'none' } = config;
  const widths = Array.from({ length: layers + 1 }, (_, i) => channels * Math.min(2 ** i, 8));
  const spec = (inputs: number, outputs: number) => convolutionSpec({ inputs, outputs, kernel: KERNEL, std: STD });
  return {
    layers: widths.map((width, i) => ({
      conv: spec(i === 0 ? 3 : widths[i - 1], width),
      norm: norm === 'actnorm' && i > 0 ? actNormSpec(width) : undefined,
    })),
    output: spec(widths[layers], 1),
  };
}

function actNormSpec(channels: number): ActNormParameters<ParameterSpec> {
  return {
    loc: new ParameterSpec([channels], { kind: 'constant', value: 0 }, false),
    scale: new ParameterSpec([channels], { kind: 'constant', value: 1 }, false),
  };
}

/**
 * Images [batch, height, width, 3] in [-1, 1] to logits [batch, height', width', 1], one for each patch; above 0: real.
 *
 * @throws TransfusionError DISCRIMINATOR_IMAGE_SIZE: the image is smaller than the network's strides need
 */
export function discriminate(p: DiscriminatorParameters, images: Tensor): Tensor {
  return throughLayers(p, images, (norm, x) => norm.scale.mul(x.add(norm.loc)));
}

/**
 * ActNorm parameters that give every normalised channel mean 0 and deviation 1 on a batch of images: what to start from.
 * One entry for each of `p.layers`, undefined where there is no norm.
 */
export function initialActNorm(p: DiscriminatorParameters, images: Tensor): (ActNormParameters | undefined)[] {
  const found = new Map<ActNormParameters, ActNormParameters>();
  throughLayers(p, images, (norm, x) => {
    const flat = x.reshape([-1, x.shape[3]]);
    const mean = flat.mean(0);
    const count = flat.shape[0];
    const deviation = flat
      .sub(mean)
      .square()
      .sum(0)
      .div(Math.max(1, count - 1))
      .sqrt();
    const start = { loc: mean.neg(), scale: deviation.add(1e-6).reciprocal() };
    found.set(norm, start);
    return start.scale.mul(x.add(start.loc));
  });
  return p.layers.map(({ norm }) => norm && found.get(norm));
}

function throughLayers(
  p: DiscriminatorParameters,
  images: Tensor,
  normalise: (norm: ActNormParameters, x: Tensor) => Tensor,
): Tensor {
  checkSize(p, images);
  let x = images;
  p.layers.forEach(({ conv, norm }, i) => {
    const stride = i < p.layers.length - 1 ? 2 : 1;
    x = convolution(conv, x, { stride, padding: 1 });
    x = leakyRelu(norm ? normalise(norm, x) : x, SLOPE);
  });
  return convolution(p.output, x, { padding: 1 });
}

function checkSize(p: DiscriminatorParameters, images: Tensor): void {
  const least = 3 * 2 ** (p.layers.length - 1);
  const [, height, width] = images.shape;
  if (Math.min(height, width) >= least) return;
  throw new TransfusionError({
    code: 'DISCRIMINATOR_IMAGE_SIZE',
    message: `discriminate: images are ${width} x ${height}, ${p.layers.length - 1} convolutions of stride 2 need at least ${least} x ${least}`,
    fix: 'use larger images, or fewer layers',
  });
}
