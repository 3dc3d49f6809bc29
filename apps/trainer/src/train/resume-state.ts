/** @file The state of a checkpoint, checked against the model that it is for, and cut into its parts. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree, showShape, sizeOf, TransfusionError } from '@transfusion/tensor';
import { type ModelConfig, transfusionSpec } from '@transfusion/transformer';

/** Tensors of a checkpoint by name, under `parameters.`, `m.`, `v.` and `ema.`; `lossScale.` where it was trained in f16. */
export type StateValues = ReadonlyMap<string, Float32Array>;

const scaleNames = ['lossScale.scale', 'lossScale.goodSteps'];

const parts = ['parameters', 'm', 'v', 'ema'] as const;

/** @throws TransfusionError CHECKPOINT_FOREIGN naming the tensor that is missing, unknown or of another size */
export function stateParts(model: ModelConfig, values: StateValues) {
  const specs = flattenTree<ParameterSpec>(transfusionSpec(model), isParameterSpec);
  const part = (name: string) =>
    new Map([...specs].map(([path, { shape }]) => [path, wanted(values, `${name}.${path}`, shape)]));
  const known = new Set([
    ...scaleNames,
    ...parts.flatMap((name) => [...specs.keys()].map((path) => `${name}.${path}`)),
  ]);
  for (const name of values.keys()) if (!known.has(name)) throw foreign(`${name} is not a tensor of this model`);
  return { parameters: part('parameters'), m: part('m'), v: part('v'), ema: part('ema'), ...scaleOf(values) };
}

/** A run that was trained in f32 so far has none. */
function scaleOf(values: StateValues) {
  if (!scaleNames.some((name) => values.has(name))) return {};
  const [[scale], [goodSteps]] = scaleNames.map((name) => wanted(values, name, [1]));
  return { lossScale: { scale, goodSteps } };
}

function wanted(values: StateValues, name: string, shape: readonly number[]): Float32Array {
  const data = values.get(name);
  if (!data) throw foreign(`${name} is missing`);
  if (data.length === sizeOf(shape)) return data;
  throw foreign(`${name} has ${data.length} elements, the configuration asks for ${showShape(shape)}`);
}

function foreign(why: string): TransfusionError {
  const file = why.startsWith('ema.') ? 'model.safetensors' : 'optimizer.safetensors';
  return new TransfusionError({
    code: 'CHECKPOINT_FOREIGN',
    message: `the checkpoint's ${file} does not fit its configuration: ${why.replace(/^ema\./, '')}`,
    fix: 'give the folder of a run as the trainer wrote it',
  });
}
