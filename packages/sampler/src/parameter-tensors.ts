/** @file Parameters as the named tensors of a checkpoint, and back. */
import { CheckpointError } from '@transfusion/checkpoint';
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { type ModelConfig, transfusionSpec } from '@transfusion/transformer';
import { firstNotFinite } from '@transfusion/vae';

export interface NamedTensor {
  shape: number[];
  data: Float32Array;
}

/** Reads a tree of variables (parameters, their average, moments) into the map that `saveModelFolder` takes. */
export async function parameterTensors(tree: unknown): Promise<Map<string, NamedTensor>> {
  const variables = flattenTree<Variable>(tree, isVariable);
  const tensors = new Map<string, NamedTensor>();
  for (const [name, variable] of variables) {
    tensors.set(name, { shape: [...variable.shape], data: await variable.read() });
  }
  return tensors;
}

/**
 * `checkTensorShapes` for a Transfusion model.
 *
 * @throws CheckpointError CHECKPOINT_CONTENT
 */
export function checkShapes(
  config: ModelConfig,
  tensors: ReadonlyMap<string, { shape: readonly number[] }>,
  where: string,
): void {
  // Every layer has tensors of its own: a number of layers that the file cannot hold is not believed.
  if (config.layers > tensors.size) {
    throw contentError(where, [`has ${tensors.size} tensors, config.json says ${config.layers} layers`]);
  }
  checkTensorShapes(transfusionSpec(config), tensors, where);
}

/**
 * Checks that the tensors are exactly those of a model, each with its shape. Only their headers are needed: tensors of
 * another model, or sizes that nobody would want, are told before any are read.
 *
 * @param specs the model's parameters: a tree of `ParameterSpec`
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_CONTENT, naming the tensors that are missing, unknown or of another shape
 */
export function checkTensorShapes(
  specs: unknown,
  tensors: ReadonlyMap<string, { shape: readonly number[] }>,
  where: string,
): void {
  const expected = flattenTree<ParameterSpec>(specs, isParameterSpec);
  const missing = [...expected.keys()].filter((name) => !tensors.has(name));
  const unknown = [...tensors.keys()].filter((name) => !expected.has(name));
  const misshapen = [...expected].flatMap(([name, { shape }]) => {
    const found = tensors.get(name);
    if (!found || found.shape.join() === shape.join()) return [];
    return [`${name} is [${found.shape.join(', ')}], expected [${shape.join(', ')}]`];
  });
  const problems = [
    ...(missing.length > 0 ? [`has no ${some(missing)}`] : []),
    ...(unknown.length > 0 ? [`has tensors that the model has not: ${some(unknown)}`] : []),
    ...(misshapen.length > 0 ? [some(misshapen, '; ')] : []),
  ];
  if (problems.length > 0) throw contentError(where, problems);
}

/**
 * Checks that all numbers are finite.
 *
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_CONTENT, naming the first tensor that has NaN or an infinity, and where
 */
export function checkFinite(tensors: ReadonlyMap<string, NamedTensor>, where: string): void {
  for (const [name, { shape, data }] of tensors) {
    const at = firstNotFinite(data);
    if (at < 0) continue;
    throw new CheckpointError({
      code: 'CHECKPOINT_CONTENT',
      message: `${where}: ${name} [${shape.join(', ')}] has ${data[at]} at value ${at}`,
      fix: 'such weights draw nothing: the training diverged, or the file was changed; take an earlier checkpoint',
    });
  }
}

function some(names: readonly string[], separator = ', '): string {
  const most = 4;
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return names.slice(0, most).join(separator) + more;
}

function contentError(where: string, problems: readonly string[]): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${where} does not fit config.json: ${problems.join('; ')}`,
    fix: 'config.json and the weights are of different models: take both from one folder',
  });
}
