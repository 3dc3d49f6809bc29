/** @file Parameters of an autoencoder's run that come from another autoencoder, where they fit. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree } from '@transfusion/tensor';
import { type AutoencoderConfig, autoencoderSpec, importWeights, type StoredCodec } from '@transfusion/vae';

/** Those of `given`, by path, whose names and shapes agree; none of pixels. @throws TransfusionError CODEC_WEIGHTS */
export function fittingParameters(autoencoder: AutoencoderConfig, given: StoredCodec): Map<string, Float32Array> {
  if (given.config.kind === 'pixels') return new Map();
  const shapesOf = (config: AutoencoderConfig) => flattenTree<ParameterSpec>(autoencoderSpec(config), isParameterSpec);
  const config = given.config.autoencoder;
  const [wanted, found] = [shapesOf(autoencoder), shapesOf(config)];
  const values = importWeights({ config, tensors: given.weights, where: given.where });
  const isFitting = (path: string) => wanted.get(path)?.shape.join() === found.get(path)?.shape.join();
  return new Map([...values].filter(([path]) => isFitting(path)));
}
