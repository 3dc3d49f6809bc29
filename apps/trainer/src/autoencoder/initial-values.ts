/** @file What an autoencoder's run starts from: random weights, or those of another autoencoder where they fit. */
import { modelPath } from '@transfusion/app-common';
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { initialise } from '@transfusion/nn';
import { flattenTree } from '@transfusion/tensor';
import { autoencoderSpec, discriminatorSpec, importWeights, readCodecFolder } from '@transfusion/vae';
import type { VaeRunConfig } from './config.js';
import type { AutoencoderStepOptions } from './training-step.js';

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

/** Contents of the state by path, and how many parameters came from `config.initialWeights`. */
export async function initialValues(
  config: VaeRunConfig,
  { autoencoder, discriminator }: AutoencoderStepOptions,
): Promise<{ values: Map<string, Float32Array>; taken: number }> {
  const values = new Map<string, Float32Array>();
  const parameters = flattenTree<Float32Array>(initialise(autoencoderSpec(autoencoder), config.seed), isArray);
  const given = config.initialWeights === null ? new Map() : await weightsOf(modelPath(config.initialWeights));
  let taken = 0;
  for (const [path, random] of parameters) {
    const own = given.get(path);
    const isFitting = own?.length === random.length;
    if (isFitting) taken++;
    for (const part of ['parameters', 'ema']) values.set(`${part}.${path}`, isFitting ? own : random);
  }
  if (discriminator) {
    const specs = discriminatorSpec(discriminator);
    for (const [path, data] of flattenTree<Float32Array>(initialise(specs, config.seed), isArray)) {
      values.set(`discriminator.parameters.${path}`, data);
    }
  }
  return { values, taken };
}

/** Parameters of the autoencoder in a folder, by path. */
async function weightsOf(path: string): Promise<Map<string, Float32Array>> {
  const { config, weights, where } = await openCheckpoint(path, (reader) => readCodecFolder(reader));
  return config.kind === 'pixels' ? new Map() : importWeights({ config: config.autoencoder, tensors: weights, where });
}
