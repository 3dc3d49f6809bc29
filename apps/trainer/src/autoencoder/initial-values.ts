/** @file What an autoencoder's run starts from: random weights, or those of another autoencoder where they fit. */
import { modelPath } from '@transfusion/app-common';
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { initialise, isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree } from '@transfusion/tensor';
import { autoencoderSpec, type CodecConfig, discriminatorSpec, importWeights, readCodecFolder } from '@transfusion/vae';
import type { VaeRunConfig } from './config.js';
import type { AutoencoderStepOptions } from './training-step.js';

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

/** Contents of the state by path, and how many parameters came from `config.initialWeights`. */
export async function initialValues(
  config: VaeRunConfig,
  { autoencoder, discriminator }: AutoencoderStepOptions,
): Promise<{ values: Map<string, Float32Array>; taken: number }> {
  const specs = {
    autoencoder: autoencoderSpec(autoencoder),
    discriminator: discriminator && discriminatorSpec(discriminator),
  };
  // One call for both, so that they do not start with the same numbers.
  const random = initialise(specs, config.seed);
  const values = new Map<string, Float32Array>();
  const given = config.initialWeights === null ? undefined : await readAutoencoder(modelPath(config.initialWeights));
  const shapes = flattenTree<ParameterSpec>(specs.autoencoder, isParameterSpec);
  let taken = 0;
  for (const [path, own] of flattenTree<Float32Array>(random.autoencoder, isArray)) {
    const isFitting = given?.shapes.get(path)?.shape.join() === shapes.get(path)!.shape.join();
    if (isFitting) taken++;
    for (const part of ['parameters', 'ema']) values.set(`${part}.${path}`, isFitting ? given!.values.get(path)! : own);
  }
  for (const [path, data] of flattenTree<Float32Array>(random.discriminator, isArray)) {
    values.set(`discriminator.parameters.${path}`, data);
  }
  return { values, taken };
}

/** The parameters of the autoencoder in a folder, by path. */
async function readAutoencoder(path: string) {
  const { config, weights, where } = await openCheckpoint(path, (reader) => readCodecFolder(reader));
  const { autoencoder } = config as Exclude<CodecConfig, { kind: 'pixels' }>;
  return {
    shapes: flattenTree<ParameterSpec>(autoencoderSpec(autoencoder), isParameterSpec),
    values: importWeights({ config: autoencoder, tensors: weights, where }),
  };
}
