/** @file The codec of a KL autoencoder: continuous latents. */
import { type Backend, concat, PhiloxStream, type Variable } from '@transfusion/tensor';
import { decode, encode } from '../autoencoder/autoencoder.js';
import { downsamplingFactor, type KlConfig } from '../autoencoder/config.js';
import type { KlParameters } from '../autoencoder/parameters.js';
import type { Posterior } from '../autoencoder/posterior.js';
import type { StoredTensor } from '../autoencoder/weights.js';
import type { CodecConfig } from '../codec-config.js';
import type { ImageCodec, LatentDistribution } from '../image-codec.js';
import { RandomPurpose } from '../random-purpose.js';
import type { CodecMemory } from '../streamed/run-steps.js';
import { decoderSteps, encoderSteps } from '../streamed/steps.js';
import { type CodecRunOptions, freeParameters, loadParameters, runOptions } from './autoencoder-codec.js';
import { checkArrays, checkResults, SCALED } from './check-arrays.js';
import { ImageNetwork } from './image-network.js';
import { type LatentScale, latentScale, scaleDistribution, scaleLatents, unscaleLatents } from './latent-scale.js';
import { autoencoderLatentShape, type ImageSize, type LatentShape } from './latent-shape.js';

type EncoderState = Pick<KlParameters<Variable>, 'encoder' | 'quant_conv'>;
type DecoderState = Pick<KlParameters<Variable>, 'decoder' | 'post_quant_conv'>;

export interface KlCodecOptions extends CodecRunOptions {
  backend: Backend;
  config: KlConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}

export class KlCodec implements ImageCodec {
  readonly config: CodecConfig;
  readonly scale: number;
  readonly #autoencoder: KlConfig;
  readonly #parameters: KlParameters<Variable>;
  readonly #latentScale: LatentScale;
  readonly #encoder: ImageNetwork<EncoderState>;
  readonly #decoder: ImageNetwork<DecoderState>;

  /** @throws TransfusionError CODEC_WEIGHTS, CODEC_OPTIONS; OutOfMemoryError */
  constructor(options: KlCodecOptions) {
    const { backend, config } = options;
    const { maxBatch, streaming } = runOptions(config, options);
    const groups = config.norm_num_groups;
    const channels = config.latent_channels;
    const image = { channels: config.in_channels, scale: downsamplingFactor(config) };
    this.config = { kind: 'kl', autoencoder: config };
    this.scale = config.scaling_factor;
    this.#autoencoder = config;
    this.#latentScale = latentScale(config, channels);
    this.#parameters = loadParameters(options);
    const { encoder, quant_conv, decoder, post_quant_conv } = this.#parameters;
    this.#encoder = new ImageNetwork<EncoderState>({
      ...{ backend, maxBatch, name: 'kl encoder', state: { encoder, quant_conv } },
      ...{ input: image, output: { channels: 2 * channels, scale: 1 } },
      fn: (images, state) => {
        const { mean, logVariance } = encode(config, state, images);
        return concat([mean, logVariance], 3);
      },
      streamed: streaming && {
        ...streaming,
        steps: encoderSteps({ p: encoder, quantConv: quant_conv, groups, posterior: true }),
      },
    });
    this.#decoder = new ImageNetwork<DecoderState>({
      ...{ backend, maxBatch, name: 'kl decoder', state: { decoder, post_quant_conv } },
      ...{ input: { channels, scale: 1 }, output: image },
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
   * Mean and log variance of each image's latents, [latent height, latent width, channels], not scaled.
   *
   * @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE
   */
  async encodePosterior(options: ImageSize & { images: readonly Float32Array[] }): Promise<Posterior<Float32Array>[]> {
    return this.#posteriors('kl.encodePosterior', options);
  }

  /** With a seed, image i's noise is a function of the seed and i, the same on every backend. */
  async encode(options: ImageSize & { images: readonly Float32Array[]; seed?: number }): Promise<Float32Array[]> {
    const posteriors = await this.#posteriors('kl.encode', options);
    const { seed } = options;
    const latents = posteriors.map((posterior, i) => (seed === undefined ? posterior.mean : drawn(posterior, seed, i)));
    const results = latents.map((each) => scaleLatents(this.#latentScale, each));
    const { height, width, channels } = this.latentShape(options);
    checkResults({ ...SCALED, method: 'kl.encode', results, inputs: latents, shape: [height, width, channels] });
    return results;
  }

  async encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]> {
    const posteriors = await this.#posteriors('kl.encodeDistribution', options);
    const results = posteriors.map(({ mean, logVariance }) =>
      scaleDistribution(this.#autoencoder, { mean, deviation: logVariance.map((value) => Math.exp(0.5 * value)) }),
    );
    const { height, width, channels } = this.latentShape(options);
    const inputs = posteriors.map(({ mean }) => mean);
    for (const parts of [results.map(({ mean }) => mean), results.map(({ deviation }) => deviation!)]) {
      checkResults({
        ...SCALED,
        method: 'kl.encodeDistribution',
        results: parts,
        inputs,
        shape: [height, width, channels],
      });
    }
    return results;
  }

  async decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]> {
    const { latents } = options;
    const { height, width, channels } = this.latentShape(options);
    const fix = `give latents of images of ${options.width} x ${options.height}, ${channels} channels each`;
    checkArrays({ method: 'kl.decode', what: 'latents', arrays: latents, shape: [height, width, channels], fix });
    const results = await this.#decoder.run(
      { height, width },
      latents.map((each) => unscaleLatents(this.#latentScale, each)),
    );
    const shape = [options.height, options.width, 3];
    checkResults({ method: 'kl.decode', what: 'the image of latents', results, inputs: latents, shape });
    return results;
  }

  async #posteriors(
    method: string,
    { height, width, images }: ImageSize & { images: readonly Float32Array[] },
  ): Promise<Posterior<Float32Array>[]> {
    const shape = this.latentShape({ height, width });
    const fix = `resize to ${width} x ${height}, three channels`;
    checkArrays({ method, what: 'images', arrays: images, shape: [height, width, 3], fix });
    const results = await this.#encoder.run(shape, images);
    const moments = [shape.height, shape.width, 2 * shape.channels];
    checkResults({ method, what: 'the mean and log variance of images', results, inputs: images, shape: moments });
    return results.map((each) => ({
      mean: channelsOf(each, 0, shape.channels),
      logVariance: channelsOf(each, shape.channels, shape.channels),
    }));
  }

  /** Memory while images of a size are encoded, and decoded; weights are not counted. Nothing is run. */
  async memory(options: ImageSize & { images?: number }): Promise<{ encode: CodecMemory; decode: CodecMemory }> {
    const shape = this.latentShape(options);
    const { images = 1 } = options;
    return { encode: await this.#encoder.memory(shape, images), decode: await this.#decoder.memory(shape, images) };
  }

  dispose(): void {
    this.#encoder.dispose();
    this.#decoder.dispose();
    freeParameters(this.#parameters);
  }
}

/** Channels first to first + count of moments [..., 2 count]. */
function channelsOf(moments: Float32Array, first: number, count: number): Float32Array {
  return Float32Array.from(
    { length: moments.length / 2 },
    (_, i) => moments[Math.floor(i / count) * 2 * count + first + (i % count)],
  );
}

function drawn({ mean, logVariance }: Posterior<Float32Array>, seed: number, image: number): Float32Array {
  const stream = new PhiloxStream(seed, RandomPurpose.posterior, image);
  return mean.map((value, i) => value + Math.exp(0.5 * logVariance[i]) * stream.normal());
}
