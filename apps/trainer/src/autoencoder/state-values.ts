/** @file The state of an autoencoder's checkpoint, checked against the configuration that it is for. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree, showShape, sizeOf, TransfusionError } from '@transfusion/tensor';
import { type AutoencoderStepOptions, autoencoderStateSpec } from './training-step.js';

/** @throws TransfusionError CHECKPOINT_FOREIGN naming the tensor that is missing, unknown or of another size */
export function checkStateValues(options: AutoencoderStepOptions, values: ReadonlyMap<string, Float32Array>): void {
  const specs = flattenTree<ParameterSpec>(autoencoderStateSpec(options), isParameterSpec);
  for (const [path, { shape }] of specs) {
    const found = values.get(path);
    if (!found) throw foreign(`it has no ${path}`);
    if (found.length !== sizeOf(shape))
      throw foreign(`${path} has ${found.length} values, expected ${showShape(shape)}`);
  }
  for (const path of values.keys()) if (!specs.has(path)) throw foreign(`${path} is not a tensor of this run`);
}

function foreign(why: string): TransfusionError {
  return new TransfusionError({
    code: 'CHECKPOINT_FOREIGN',
    message: `the checkpoint does not fit its configuration: ${why}`,
    fix: 'give the folder of a run as the trainer wrote it',
  });
}
