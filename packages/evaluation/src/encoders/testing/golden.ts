/** @file What scripts/golden_encoders.py wrote to fixtures, and how far our networks are from PyTorch's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '@transfusion/checkpoint';
import { createParameters } from '@transfusion/nn';
import {
  type Backend,
  compile,
  flattenTree,
  grad,
  type HostArray,
  isTensor,
  isVariable,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import type { BatchTensors, Objective } from '@transfusion/training';
import type { ClassifierConfig, DualEncoderConfig } from '../config.js';
import {
  type ClassifierParameters,
  classifyImages,
  type DualEncoderParameters,
  embedImages,
  embedTexts,
} from '../networks.js';
import {
  type ClassifierInputs,
  classifierObjective,
  type DualEncoderInputs,
  dualEncoderObjective,
} from '../objectives.js';
import { packTexts } from '../text-tokens.js';

const FIXTURES = join(__dirname, '../../../fixtures');

interface Description {
  configs: { dual: DualEncoderConfig; classifier: ClassifierConfig };
  texts: number[][];
}

const { configs, texts }: Description = JSON.parse(readFileSync(join(FIXTURES, 'encoders.json'), 'utf8'));
const tensors = readSafetensors(readFileSync(join(FIXTURES, 'encoders.safetensors')));
const array = (name: string): Float32Array => tensors.get(name)!.data;

type Errors = [string, number][];

export function dualEncoderErrors(backend: Backend): Promise<Errors> {
  const config = configs.dual;
  const { maxTokens } = config.text;
  return errorsOf<DualEncoderInputs, DualEncoderParameters>(backend, {
    name: 'dual',
    objective: dualEncoderObjective(config, texts.length),
    arrays: {
      images: array('images'),
      alsoTrue: array('alsoTrue'),
      ...packTexts(texts, { batch: texts.length, maxTokens }),
    },
    outputs: (p, { images, ...batch }) => ({
      images: embedImages(config, p, images),
      texts: embedTexts(config, p, batch),
    }),
  });
}

export function classifierErrors(backend: Backend): Promise<Errors> {
  const config = configs.classifier;
  return errorsOf<ClassifierInputs, ClassifierParameters>(backend, {
    name: 'classifier',
    objective: classifierObjective(config, texts.length),
    arrays: { images: array('images'), labels: Int32Array.from(array('labels')) },
    outputs: (p, { images }) => ({ ...classifyImages(p, images) }),
  });
}

/** By name: the greatest difference of outputs, loss and every gradient, as a part of the greatest magnitude in each. */
async function errorsOf<Inputs, Parameters>(
  backend: Backend,
  options: {
    name: string;
    objective: Objective<Inputs, Parameters>;
    arrays: Record<keyof Inputs, HostArray>;
    outputs(p: Parameters, batch: BatchTensors<Inputs>): Record<string, Tensor>;
  },
): Promise<Errors> {
  const { name, objective, arrays } = options;
  const named = (prefix: string) =>
    [...tensors.keys()].filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  const weights = new Map(named(`${name}/weights.`).map((path) => [path, array(`${name}/weights.${path}`)]));
  const state = createParameters(backend, objective.parameters, weights) as Parameters;
  const compiled = await compile({
    ...{ backend, name: 'golden', inputs: { batch: objective.inputs }, state },
    fn: ({ batch: given }, traced) => {
      const [p, batch] = [traced as Parameters, given as BatchTensors<Inputs>];
      const { total } = objective.losses({ parameters: p, discriminator: undefined, constants: undefined }, batch);
      const leaves = flattenTree<Tensor>(p, isTensor);
      const gradients = grad(total, [...leaves.values()]);
      const byName = [...leaves.keys()].map((path, i) => [`gradient.${path}`, gradients[i]] as const);
      return { outputs: { ...options.outputs(p, batch), loss: total, ...Object.fromEntries(byName) } };
    },
  });
  const found = (await compiled.run({ batch: arrays } as Parameters_<typeof compiled.run>)) as Record<
    string,
    Float32Array
  >;
  compiled.dispose();
  for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
  const expected = named(`${name}/`).filter((each) => !each.startsWith('weights.'));
  if (expected.sort().join() !== Object.keys(found).sort().join()) throw new Error('other values than the fixture has');
  return expected.map((each) => [each, relativeError(found[each], array(`${name}/${each}`))]);
}

// biome-ignore lint/suspicious/noExplicitAny: of any function
type Parameters_<Fn extends (...given: any[]) => unknown> = Fn extends (first: infer First) => unknown ? First : never;

/** The greatest difference, as a part of the greatest magnitude that was expected. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, magnitude] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const each = Math.abs(actual[i] - expected[i]);
    difference = Math.max(difference, Number.isNaN(each) ? Number.POSITIVE_INFINITY : each);
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return difference / magnitude;
}
