/** @file The z-loss beside the paper's objective, of the logits that PyTorch computed (scripts/golden_transfusion_step.py). */
import { isParameterSpec } from '@transfusion/nn';
import { constant, evaluate, flattenTree, type HostArray, isTensorSpec, mapTree } from '@transfusion/tensor';
import type { TransfusionParameters } from '@transfusion/transformer';
import { readGolden } from '../testing/golden-step.js';
import { transfusionObjective } from './objective.js';

const isHostArray = (value: unknown): value is HostArray => ArrayBuffer.isView(value);
const golden = readGolden('');
const { model } = golden.cases.plain;

/** Total and terms in f64. */
function losses(zLoss?: number): Record<string, number> {
  const objective = transfusionObjective({ model, batch: golden.batch, lambda: golden.lambda, noise: 'given', zLoss });
  const weights = golden.arrays('plain/weights.');
  const p = mapTree(objective.parameters as TransfusionParameters<never>, isParameterSpec, ({ shape }, path) =>
    constant(weights.get(path)!, shape),
  ) as TransfusionParameters;
  const given = flattenTree<HostArray>(golden.batchOf(objective.inputs, 1), isHostArray);
  const batch = mapTree(objective.inputs, isTensorSpec, ({ shape }, path) => constant(given.get(path)!, shape));
  const { total, terms } = objective.losses({ parameters: p, discriminator: undefined, constants: undefined }, batch);
  const named = Object.entries({ total, ...terms });
  const values = evaluate(
    named.map(([, tensor]) => tensor),
    new Map(),
  );
  return Object.fromEntries(named.map(([name], i) => [name, values[i][0]]));
}

test('it is the mean of log^2 Z over all targets, added with its weight; the rest is what it was', () => {
  const targets = golden.array('batch.targets');
  const logits = golden.array('plain/logits');
  const squares = [...targets].flatMap((target, at) => {
    if (target < 0) return [];
    const own = logits.subarray(at * model.vocabularySize, (at + 1) * model.vocabularySize);
    return [Math.log(own.reduce((sum, value) => sum + Math.exp(value), 0)) ** 2];
  });
  const expected = squares.reduce((sum, value) => sum + value, 0) / squares.length;
  const [without, withZ] = [losses(), losses(0.25)];
  expect(Object.keys(without)).toEqual(['total', 'language', 'diffusion']);
  expect(withZ).toMatchObject({ language: without.language, diffusion: without.diffusion });
  expect(Math.abs(withZ.z / expected - 1)).toBeLessThan(3e-6);
  expect(withZ.total - without.total).toBeCloseTo(0.25 * withZ.z, 10);
  expect(losses(0)).toEqual(without);
});
