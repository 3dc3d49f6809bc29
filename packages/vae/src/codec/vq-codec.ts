/** @file The codec of a VQ autoencoder: latents are vectors of its codebook, and an image is also a grid of token ids. */
import { describeKind, TransfusionError, tagOf } from '@transfusion/core';
import type { Backend, Variable } from '@transfusion/tensor';
import { decode, encodeToVectors } from '../autoencoder/autoencoder.js';
import { codeChannels, downsamplingFactor, type VqConfig } from '../autoencoder/config.js';
import type { VqParameters } from '../autoencoder/parameters.js';
import type { StoredTensor } from '../autoencoder/weights.js';
import type { CodecConfig } from '../codec-config.js';
import type { CodeCodec, LatentDistribution } from '../image-codec.js';
import { codeVectors, nearestCodes } from '../quantiser/nearest-codes.js';
import type { CodecMemory } from '../streamed/run-steps.js';
import { decoderSteps, encoderSteps } from '../streamed/steps.js';
import { type CodecRunOptions, freeParameters, loadParameters, runOptions } from './autoencoder-codec.js';
import { checkArrays, checkResults, greatest, notFinite, OVERFLOW_FIX, SCALED } from './check-arrays.js';
import { ImageNetwork } from './image-network.js';
import { type LatentScale, latentScale, scaleLatents, unscaleLatents } from './latent-scale.js';
import { autoencoderLatentShape, type ImageSize, type LatentShape } from './latent-shape.js';

/** Below the largest f32, so that a sum of products below it is finite however it is rounded. */
const MOST_SUM = 2 ** 127;

export interface VqCodecOptions extends CodecRunOptions {
  backend: Backend;
  config: VqConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}

export class VqCodec implements CodeCodec {
  readonly config: CodecConfig;
  readonly scale: number;
  readonly #autoencoder: VqConfig;
  readonly #parameters: VqParameters<Variable>;
  readonly #latentScale: LatentScale;
  /** The greatest magnitude in the codebook. */
  readonly #greatestCode: number;
  readonly #encoder: ImageNetwork<Pick<VqParameters<Variable>, 'encoder' | 'quant_conv'>>;
  readonly #quantiser: ImageNetwork<VqParameters<Variable>['quantize']>;
  readonly #codebook: ImageNetwork<VqParameters<Variable>['quantize']>;
  readonly #decoder: ImageNetwork<Pick<VqParameters<Variable>, 'decoder' | 'post_quant_conv'>>;

  /** @throws TransfusionError CODEC_WEIGHTS, CODEC_OPTIONS; OutOfMemoryError */
  constructor(options: VqCodecOptions) {
    const { backend, config } = options;
    const { maxBatch, streaming } = runOptions(config, options);
    const groups = config.norm_num_groups;
    const image = { channels: config.in_channels, scale: downsamplingFactor(config) };
    const vectors = { channels: codeChannels(config), scale: 1 };
    const ids = { channels: 1, scale: 1 };
    this.config = { kind: 'vq', autoencoder: config };
    this.scale = config.scaling_factor;
    this.#autoencoder = config;
    this.#latentScale = latentScale(config, vectors.channels);
    this.#parameters = loadParameters(options);
    this.#greatestCode = greatest(options.weights.get('quantize.embedding.weight')!.data);
    const { encoder, quant_conv, quantize, decoder, post_quant_conv } = this.#parameters;
    this.#encoder = new ImageNetwork({
      ...{ backend, maxBatch, name: 'vq encoder', state: { encoder, quant_conv } },
      ...{ input: image, output: vectors },
      fn: (images, state) => encodeToVectors(config, state, images),
      streamed: streaming && {
        ...streaming,
        steps: encoderSteps({ p: encoder, quantConv: quant_conv, groups, posterior: false }),
      },
    });
    this.#quantiser = new ImageNetwork({
      ...{ backend, maxBatch, name: 'vq quantiser', state: quantize },
      ...{ input: vectors, output: ids },
      fn: (x, { embedding }) => nearestCodes({ vectors: x, codebook: embedding.weight }).toFloat(),
    });
    this.#codebook = new ImageNetwork({
      ...{ backend, maxBatch, name: 'vq codebook', state: quantize },
      ...{ input: ids, output: vectors },
      fn: (x, { embedding }) =>
        codeVectors({ codes: x.reshape(x.shape.slice(0, 3)).toInt(), codebook: embedding.weight }),
    });
    this.#decoder = new ImageNetwork({
      ...{ backend, maxBatch, name: 'vq decoder', state: { decoder, post_quant_conv } },
      ...{ input: vectors, output: image },
      fn: (latents, state) => decode(config, state, latents),
      streamed: streaming && {
        ...streaming,
        steps: decoderSteps({ p: decoder, postQuantConv: post_quant_conv, groups }),
      },
    });
  }

  latentShape(size: ImageSize): LatentShape {
    return autoencoderLatentShape(this.#autoencoder, size);
  }

  /**
   * Token ids of each image, [latent height, latent width].
   *
   * @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE
   */
  async encodeCodes(options: ImageSize & { images: readonly Float32Array[] }): Promise<Int32Array[]> {
    const codes = await this.#codesOf('vq.encodeCodes', options);
    return codes.map((each) => Int32Array.from(each));
  }

  /** Images of token ids. @throws TransfusionError CODEC_CODES: an id is not of the codebook; CODEC_SHAPE, CODEC_NOT_FINITE */
  async decodeCodes(options: ImageSize & { codes: readonly Int32Array[] }): Promise<Float32Array[]> {
    const { height, width } = this.latentShape(options);
    const ids = checkedCodes(options.codes, { codes: this.#autoencoder.num_vq_embeddings, height, width });
    return this.#imagesOf('vq.decodeCodes', 'codes', ids, options);
  }

  async encode(options: ImageSize & { images: readonly Float32Array[] }): Promise<Float32Array[]> {
    return this.#latentsOf('vq.encode', options);
  }

  async encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]> {
    return (await this.#latentsOf('vq.encodeDistribution', options)).map((mean) => ({ mean }));
  }

  /** Latents that a model made are no codes yet: each is taken for the nearest one. */
  async decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]> {
    const { latents } = options;
    const { height, width, channels } = this.latentShape(options);
    const fix = `give latents of images of ${options.width} x ${options.height}, ${channels} channels each`;
    checkArrays({ method: 'vq.decode', what: 'latents', arrays: latents, shape: [height, width, channels], fix });
    const vectors = latents.map((each) => unscaleLatents(this.#latentScale, each));
    const codes = await this.#nearest('vq.decode', 'latents', vectors, options);
    return this.#imagesOf('vq.decode', 'latents', codes, options);
  }

  async #latentsOf(method: string, options: ImageSize & { images: readonly Float32Array[] }): Promise<Float32Array[]> {
    const codes = await this.#codesOf(method, options);
    const shape = this.latentShape(options);
    const inputs = await this.#codebook.run(shape, codes);
    const results = inputs.map((each) => scaleLatents(this.#latentScale, each));
    checkResults({ ...SCALED, method, results, inputs, shape: [shape.height, shape.width, shape.channels] });
    return results;
  }

  async #codesOf(
    method: string,
    { height, width, images }: ImageSize & { images: readonly Float32Array[] },
  ): Promise<Float32Array[]> {
    const shape = this.latentShape({ height, width });
    const fix = `resize to ${width} x ${height}, three channels`;
    checkArrays({ method, what: 'images', arrays: images, shape: [height, width, 3], fix });
    const results = await this.#encoder.run(shape, images);
    const vectors = [shape.height, shape.width, shape.channels];
    checkResults({ method, what: 'the vectors of images', results, inputs: images, shape: vectors });
    return this.#nearest(method, 'images', results, { height, width });
  }

  /** Finite vectors may still be so large that products with codes overflow: then any code would seem the nearest. */
  async #nearest(
    method: string,
    what: string,
    vectors: readonly Float32Array[],
    size: ImageSize,
  ): Promise<Float32Array[]> {
    const shape = this.latentShape(size);
    vectors.forEach((each, image) => {
      const most = greatest(each);
      if (shape.channels * Math.max(most, this.#greatestCode) * this.#greatestCode < MOST_SUM) return;
      throw notFinite(
        `${method}: vectors of ${what}[${image}] reach ${most.toPrecision(3)}, codes ${this.#greatestCode.toPrecision(3)}: too large to find the nearest`,
        OVERFLOW_FIX,
      );
    });
    return this.#quantiser.run(shape, vectors);
  }

  async #imagesOf(
    method: string,
    what: string,
    codes: readonly Float32Array[],
    size: ImageSize,
  ): Promise<Float32Array[]> {
    const shape = this.latentShape(size);
    const inputs = await this.#codebook.run(shape, codes);
    const results = await this.#decoder.run(shape, inputs);
    checkResults({ method, what: `the image of ${what}`, results, inputs, shape: [size.height, size.width, 3] });
    return results;
  }

  /** Memory while images of a size are encoded, and decoded; weights are not counted. Nothing is run. */
  async memory(options: ImageSize & { images?: number }): Promise<{ encode: CodecMemory; decode: CodecMemory }> {
    const shape = this.latentShape(options);
    const { images = 1 } = options;
    return { encode: await this.#encoder.memory(shape, images), decode: await this.#decoder.memory(shape, images) };
  }

  dispose(): void {
    for (const network of [this.#encoder, this.#quantiser, this.#codebook, this.#decoder]) network.dispose();
    freeParameters(this.#parameters);
  }
}

/**
 * Ids as numbers of a network's input.
 *
 * @throws TransfusionError CODEC_SHAPE, CODEC_CODES
 */
function checkedCodes(
  images: readonly Int32Array[],
  { codes, height, width }: { codes: number; height: number; width: number },
): Float32Array[] {
  const shapeError = (message: string, fix: string) =>
    new TransfusionError({ code: 'CODEC_SHAPE', message: `vq.decodeCodes: ${message}`, fix });
  if (!Array.isArray(images)) {
    throw shapeError(`codes are ${describeKind(images)}, expected a list of Int32Array`, 'give codes: [ids, ...]');
  }
  return images.map((ids: Int32Array, image) => {
    if (tagOf(ids) !== 'Int32Array') {
      throw shapeError(`codes[${image}] is ${describeKind(ids)}, expected an Int32Array`, 'give Int32Array.from(ids)');
    }
    if (ids.length !== height * width) {
      throw shapeError(
        `codes[${image}] has ${ids.length} values, expected [${height}, ${width}] = ${height * width}`,
        'give the ids of images of that height and width',
      );
    }
    const at = ids.findIndex((id) => id < 0 || id >= codes);
    if (at < 0) return Float32Array.from(ids);
    throw new TransfusionError({
      code: 'CODEC_CODES',
      message: `vq.decodeCodes: codes[${image}][${at}] is ${ids[at]}; the codebook has ${codes} codes, 0 to ${codes - 1}`,
      fix: 'give ids that encodeCodes of the same model made',
    });
  });
}
