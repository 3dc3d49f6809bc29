/** @file Runs a case on a backend, or on the reference, and says how far the results are from what they should be. */
import { compile, type Precision, TensorSpec } from '../compiler/compile.js';
import { createVariable } from '../compiler/variable.js';
import { grad } from '../grad.js';
import type { Tensor } from '../graph/node.js';
import { apply } from '../graph/node.js';
import { constant, inputOp } from '../ops/leaf.js';
import { PhiloxStream } from '../philox.js';
import type { Backend } from '../program/backend.js';
import type { DType } from '../program/program.js';
import { evaluate } from '../reference/evaluate.js';
import type { CaseInput, ConformanceCase } from './case.js';

export interface Mismatch {
  output: string;
  index: number;
  actual: number;
  expected: number;
  error: number;
}

/** The outputs of a case, and the gradients of a random weighting of them with respect to every differentiable input. */
export function outputsOf(testCase: ConformanceCase, inputs: Record<string, Tensor>): Record<string, Tensor> {
  const result = testCase.fn(inputs);
  const outputs = Array.isArray(result) ? result : [result];
  const named: Record<string, Tensor> = Object.fromEntries(outputs.map((output, i) => [`output${i}`, output]));
  const names = differentiableInputs(testCase);
  if (names.length === 0) return named;
  const gradients = grad(
    weighted(outputs.filter(({ dtype }) => dtype === 'f32')),
    names.map((name) => inputs[name]),
  );
  names.forEach((name, i) => (named[`d_${name}`] = gradients[i]));
  return named;
}

export function differentiableInputs({ inputs, skipGradient }: ConformanceCase): string[] {
  if (skipGradient) return [];
  return Object.keys(inputs).filter((name) => inputs[name].dtype === 'f32' && inputs[name].differentiable !== false);
}

/** sum(outputs * fixed random weights): a scalar in which every output element matters differently. */
function weighted(outputs: readonly Tensor[]): Tensor {
  const stream = new PhiloxStream(17);
  const terms = outputs.map((output) => {
    const weights = Float32Array.from({ length: output.size }, () => stream.uniform() + 0.5);
    return output.mul(constant(weights, output.shape)).sum();
  });
  return terms.reduce((sum, term) => sum.add(term));
}

export function symbolicInputs(inputs: Record<string, CaseInput>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }], index) => [
      name,
      apply(inputOp, [], { type: { dtype, shape }, index, name }),
    ]),
  );
}

export interface RunOptions {
  precision?: Precision;
  /** How often it is run; default 1. Engines optimise what has run for a while. */
  times?: number;
}

/** Compiles a case and runs it: its outputs, and the gradients with respect to its differentiable inputs, by name. */
export async function runOnBackend(
  backend: Backend,
  testCase: ConformanceCase,
  { precision, times = 1 }: RunOptions = {},
): Promise<Record<string, ArrayLike<number>>> {
  // i32 results cannot be outputs: variables hold them.
  const integers = Object.fromEntries(
    Object.entries(outputsOf(testCase, symbolicInputs(testCase.inputs)))
      .filter(([, { dtype }]) => dtype === 'i32')
      .map(([name, { dtype, shape }]) => [name, createVariable(backend, { dtype, shape })]),
  );
  const compiled = await compile({
    backend,
    name: testCase.name,
    precision,
    inputs: Object.fromEntries(
      Object.entries(testCase.inputs).map(([name, { dtype, shape }]) => [name, new TensorSpec(dtype, shape)]),
    ),
    state: integers,
    fn: (tensors) => {
      const all = Object.entries(outputsOf(testCase, tensors));
      const ofType = (wanted: DType) => Object.fromEntries(all.filter(([, { dtype }]) => dtype === wanted));
      return { outputs: ofType('f32'), updates: ofType('i32') };
    },
  });
  const arrays = Object.fromEntries(Object.entries(testCase.inputs).map(([name, { values }]) => [name, values]));
  let results: Record<string, ArrayLike<number>> = {};
  for (let i = 0; i < times; i++) results = await compiled.run(arrays);
  for (const [name, variable] of Object.entries(integers)) {
    results[name] = new Int32Array(await variable.buffer.read());
    variable.destroy();
  }
  compiled.dispose();
  return results;
}

/** Compiles a case (outputs and gradients), runs it, and compares with the f64 reference. */
export async function checkOnBackend(
  backend: Backend,
  testCase: ConformanceCase,
  options?: RunOptions,
): Promise<Mismatch[]> {
  const inputs = symbolicInputs(testCase.inputs);
  const expected = outputsOf(testCase, inputs);
  const bindings = new Map(Object.entries(testCase.inputs).map(([name, { values }]) => [inputs[name], values]));
  const reference = evaluate(Object.values(expected), bindings);
  const results = await runOnBackend(backend, testCase, options);
  return Object.keys(expected).flatMap((output, i) =>
    compare(output, results[output], reference[i], testCase.tolerance),
  );
}

/** Compares the reference's symbolic gradients with central differences of the reference itself, all in f64. */
export function checkGradients(testCase: ConformanceCase): Mismatch[] {
  const inputs = symbolicInputs(testCase.inputs);
  const result = testCase.fn(inputs);
  const loss = weighted((Array.isArray(result) ? result : [result]).filter(({ dtype }) => dtype === 'f32'));
  const names = differentiableInputs(testCase);
  const gradients = grad(
    loss,
    names.map((name) => inputs[name]),
  );
  const bindings = new Map<Tensor, ArrayLike<number>>(
    Object.entries(testCase.inputs).map(([name, { values }]) => [inputs[name], Float64Array.from(values)]),
  );
  const symbolic = evaluate(gradients, bindings);
  return names.flatMap((name, i) => {
    const values = Float64Array.from(testCase.inputs[name].values);
    const numeric = values.map((value, at) => {
      const step = 1e-5 * Math.max(1, Math.abs(value));
      const lossAt = (shifted: number) => {
        const moved = values.slice();
        moved[at] = shifted;
        return evaluate([loss], new Map([...bindings, [inputs[name], moved]]))[0][0];
      };
      return (lossAt(value + step) - lossAt(value - step)) / (2 * step);
    });
    return compare(`d_${name}`, symbolic[i], numeric, 1e-6);
  });
}

function compare(
  output: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): Mismatch[] {
  const mismatches: Mismatch[] = [];
  if (actual.length !== expected.length) {
    return [{ output: `${output}.length`, index: 0, actual: actual.length, expected: expected.length, error: 1 }];
  }
  for (let index = 0; index < expected.length && mismatches.length < 5; index++) {
    const [a, e] = [actual[index], expected[index]];
    const same = Object.is(a, e) || a === e;
    const error = same ? 0 : Math.abs(a - e) / (1 + Math.abs(e));
    if (!(error <= tolerance)) mismatches.push({ output, index, actual: a, expected: e, error });
  }
  return mismatches;
}
