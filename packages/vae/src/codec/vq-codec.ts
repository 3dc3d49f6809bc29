/** @file The codec of a VQ autoencoder: latents are vectors of its codebook, and an image is also a grid of token ids. */
import { type Backend, TransfusionError, type Variable } from '@transfusion/tensor';
import { decode, encodeToVectors } from '../autoencoder/autoencoder.js';
import { codeChannels, downsamplingFactor, type VqConfig } from '../autoencoder/config.js';
import type { VqParameters } from '../autoencoder/parameters.js';
import type { StoredTensor } from '../autoencoder/weights.js';
import type { CodecConfig } from '../codec-config.js';
import type { ImageCodec, LatentDistribution } from '../image-codec.js';
import { codeVectors, nearestCodes } from '../quantiser/nearest-codes.js';
import type { CodecMemory } from '../streamed/run-steps.js';
import { decoderSteps, encoderSteps } from '../streamed/steps.js';
import { type CodecRunOptions, freeParameters, loadParameters, runOptions } from './autoencoder-codec.js';
import { ImageNetwork } from './image-network.js';
import { type LatentScale, latentScale, scaleLatents, unscaleLatents } from './latent-scale.js';
import { autoencoderLatentShape, checkArrays, type ImageSize, type LatentShape } from './latent-shape.js';

export interface VqCodecOptions extends CodecRunOptions {
  backend: Backend;
  config: VqConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}

export class VqCodec implements ImageCodec {
  readonly config: CodecConfig;
  readonly scale: number;
  readonly #autoencoder: VqConfig;
  readonly #parameters: VqParameters<Variable>;
  readonly #latentScale: LatentScale;
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

  /** Token ids of each image, [latent height, latent width]. */
  async encodeCodes(options: ImageSize & { images: readonly Float32Array[] }): Promise<Int32Array[]> {
    const { height, width, images } = options;
    const shape = this.latentShape(options);
    const fix = `resize to ${height} x ${width}, three channels`;
    checkArrays({ method: 'vq.encode', what: 'images', arrays: images, shape: [height, width, 3], fix });
    const codes = await this.#quantiser.run(shape, await this.#encoder.run(shape, images));
    return codes.map((each) => Int32Array.from(each));
  }

  /** Images of token ids. @throws TransfusionError CODEC_CODES: an id is not of the codebook; CODEC_SHAPE */
  async decodeCodes(options: ImageSize & { codes: readonly Int32Array[] }): Promise<Float32Array[]> {
    const shape = this.latentShape(options);
    const ids = options.codes.map((codes, i) => this.#checkedCodes(codes, i));
    const { height, width } = shape;
    const fix = `give the ids of images of ${options.height} x ${options.width}`;
    checkArrays({ method: 'vq.decodeCodes', what: 'codes', arrays: ids, shape: [height, width], fix });
    return this.#decoder.run(shape, await this.#codebook.run(shape, ids));
  }

  async encode(options: ImageSize & { images: readonly Float32Array[] }): Promise<Float32Array[]> {
    const codes = await this.encodeCodes(options);
    const vectors = await this.#codebook.run(
      this.latentShape(options),
      codes.map((each) => Float32Array.from(each)),
    );
    return vectors.map((each) => scaleLatents(this.#latentScale, each));
  }

  async encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]> {
    return (await this.encode(options)).map((mean) => ({ mean }));
  }

  /** Latents that a model made are no codes yet: each is taken for the nearest one. */
  async decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]> {
    const { latents } = options;
    const shape = this.latentShape(options);
    const { height, width, channels } = shape;
    const fix = `give latents of images of ${options.height} x ${options.width}, ${channels} channels each`;
    checkArrays({ method: 'vq.decode', what: 'latents', arrays: latents, shape: [height, width, channels], fix });
    const codes = await this.#quantiser.run(
      shape,
      latents.map((each) => unscaleLatents(this.#latentScale, each)),
    );
    return this.#decoder.run(shape, await this.#codebook.run(shape, codes));
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

  #checkedCodes(codes: Int32Array, image: number): Float32Array {
    const size = this.#autoencoder.num_vq_embeddings;
    const at = codes.findIndex((code) => code < 0 || code >= size);
    if (at >= 0) {
      throw new TransfusionError({
        code: 'CODEC_CODES',
        message: `vq.decodeCodes: codes[${image}][${at}] is ${codes[at]}; the codebook has ${size} codes, 0 to ${size - 1}`,
        fix: 'give ids that encodeCodes of the same model made',
      });
    }
    return Float32Array.from(codes);
  }
}
