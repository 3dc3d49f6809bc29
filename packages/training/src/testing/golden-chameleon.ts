/** @file What scripts/golden_chameleon_step.py wrote to fixtures, and how far our step is from PyTorch's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '@transfusion/checkpoint';
import {
  type CodeIds,
  type ControlTokens,
  type Document,
  documentOfTokens,
  type ImagePart,
  packDocuments,
  type TextPart,
} from '@transfusion/data';
import { createParameters, isParameterSpec } from '@transfusion/nn';
import {
  type Backend,
  compile,
  constant,
  evaluate,
  flattenTree,
  grad,
  type HostArray,
  isTensor,
  isTensorSpec,
  isVariable,
  mapTree,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import { forward, languageLogits, type ModelConfig, type TransfusionParameters } from '@transfusion/transformer';
import type { BatchArrays, BatchTensors, TransfusionInputs } from '../index.js';
import { objectiveOf } from '../index.js';
import { relativeError } from './golden-step.js';

const isHostArray = (value: unknown): value is HostArray => ArrayBuffer.isView(value);

const FIXTURES = join(__dirname, '../../fixtures');

export const CHAMELEON_CASES = ['chameleon', 'llama'] as const;
export type ChameleonCase = (typeof CHAMELEON_CASES)[number];

/** `chameleon-step.json`. */
interface Description {
  cases: Record<ChameleonCase, { model: ModelConfig; zLoss: number }>;
  batch: { rows: number; sequenceLength: number };
  special: ControlTokens;
  codes: CodeIds;
  documents: { parts: (TextPart | (Omit<ImagePart, 'latents'> & { codes: number[] }))[] }[];
}

const golden: Description = JSON.parse(readFileSync(join(FIXTURES, 'chameleon-step.json'), 'utf8'));
const tensors = readSafetensors(readFileSync(join(FIXTURES, 'chameleon-step.safetensors')));
const goldenArray = (name: string): Float32Array => tensors.get(name)!.data;

/** What training packs of the documents. */
export function packedDocuments() {
  const { codes, special, batch } = golden;
  const documents = golden.documents.map(
    ({ parts }): Document => ({
      parts: parts.map((part) => {
        if (part.kind === 'text') return part;
        const { codes: own, ...rest } = part;
        return { ...rest, latents: Float32Array.from(own) };
      }),
    }),
  );
  return packDocuments(
    documents.map((document) => documentOfTokens(document, { codes, special })),
    { ...batch, grids: [], channels: 1, patchSize: 1, special, boiPredicts: true },
  );
}

export const BATCH_ARRAYS = ['tokens', 'positions', 'begin', 'end', 'targets'] as const;

/** An array of the batch, as PyTorch's script made it. */
export function batchArray(name: string): Int32Array {
  return Int32Array.from(goldenArray(`batch.${name}`));
}

function objectiveOfCase(name: ChameleonCase) {
  const { cases, batch, codes, special } = golden;
  const given = { batch: { ...batch, grids: [] }, lambda: 5, codes: { ...codes, eoi: special.eoi } };
  return objectiveOf({ ...cases[name], ...given });
}

function arraysFor(inputs: TransfusionInputs): BatchArrays<TransfusionInputs> {
  return mapTree(inputs, isTensorSpec, ({ dtype }, path) => {
    if (path === 'noiseSeed') return new Int32Array(4);
    return dtype === 'i32' ? batchArray(path) : goldenArray(`batch.${path}`);
  });
}

/** Logits, losses and every gradient, in the graph. */
function stepOf(name: ChameleonCase, p: TransfusionParameters, batch: BatchTensors<TransfusionInputs>) {
  const objective = objectiveOfCase(name);
  const { tokens, positions, begin, end } = batch;
  const { total, terms } = objective.losses({ parameters: p, discriminator: undefined, constants: undefined }, batch);
  const leaves = flattenTree<Tensor>(p, isTensor);
  const gradients = grad(total, [...leaves.values()]);
  const { hidden } = forward(golden.cases[name].model, p, { tokens, positions, begin, end });
  return {
    logits: languageLogits(p, hidden),
    losses: [terms.language, terms.codes, ...(terms.z ? [terms.z] : []), total],
    gradients,
  };
}

type Errors = [string, number][];

/** By name: the greatest difference, as a part of the greatest magnitude in each tensor. */
function errorsOf(
  name: ChameleonCase,
  paths: readonly string[],
  found: { logits: ArrayLike<number>; losses: ArrayLike<number>[]; gradients: ArrayLike<number>[] },
): Errors {
  const [language, codes, z, total] = goldenArray(`${name}/numbers`);
  const expected = found.losses.length === 4 ? { language, codes, z, total } : { language, codes, total };
  const gradients = [...tensors.keys()].filter((each) => each.startsWith(`${name}/gradient.`));
  if (gradients.length !== paths.length) throw new Error(`${paths.length} gradients, expected ${gradients.length}`);
  return [
    ['logits', relativeError(found.logits, goldenArray(`${name}/logits`))],
    ...Object.entries(expected).map(([loss, value], i): [string, number] => [
      loss,
      relativeError(found.losses[i], [value]),
    ]),
    ...paths.map((path, i): [string, number] => [
      path,
      relativeError(found.gradients[i], goldenArray(`${name}/gradient.${path}`)),
    ]),
  ];
}

/** In f64. */
export function exactErrors(name: ChameleonCase): Errors {
  const { parameters, inputs } = objectiveOfCase(name);
  const p = mapTree(parameters as TransfusionParameters<never>, isParameterSpec, ({ shape }, path) =>
    constant(goldenArray(`${name}/weights.${path}`), shape),
  ) as TransfusionParameters;
  const given = flattenTree<HostArray>(arraysFor(inputs), isHostArray);
  const batch = mapTree(inputs, isTensorSpec, ({ shape }, path) => constant(given.get(path)!, shape));
  const { logits, losses, gradients } = stepOf(name, p, batch);
  const values = evaluate([logits, ...losses, ...gradients], new Map());
  return errorsOf(name, [...flattenTree<Tensor>(p, isTensor).keys()], {
    logits: values[0],
    losses: values.slice(1, 1 + losses.length),
    gradients: values.slice(1 + losses.length),
  });
}

export async function backendErrors(name: ChameleonCase, backend: Backend): Promise<Errors> {
  const { parameters, inputs } = objectiveOfCase(name);
  const prefix = `${name}/weights.`;
  const names = [...tensors.keys()].filter((each) => each.startsWith(prefix));
  const weights = new Map(names.map((each) => [each.slice(prefix.length), goldenArray(each)]));
  const state = createParameters(backend, parameters, weights) as TransfusionParameters<Variable>;
  const compiled = await compile({
    backend,
    name: 'golden',
    inputs: { batch: inputs },
    state,
    fn: ({ batch }, p) => ({ outputs: stepOf(name, p as TransfusionParameters, batch) }),
  });
  const found = await compiled.run({ batch: arraysFor(inputs) });
  compiled.dispose();
  const variables = flattenTree<Variable>(state, isVariable);
  for (const variable of variables.values()) variable.destroy();
  return errorsOf(name, [...variables.keys()], found);
}
