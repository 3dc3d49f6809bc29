import { compile, createVariable, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { gradientTree } from './gradient-tree.js';

test('every leaf gets its own gradient, at its own place', async () => {
  const backend = await openWasm({ threads: 1 });
  const variable = (...values: number[]) =>
    createVariable(backend, { shape: [values.length], data: Float32Array.from(values) });
  const state = { a: variable(2, 3), deep: [{ b: variable(5) }, { b: variable(7) }] };
  const compiled = await compile({
    backend,
    name: 'gradient tree',
    inputs: {},
    state,
    fn: (_, { a, deep }) => {
      const parameters: { a: Tensor; deep: { b: Tensor }[] } = { a, deep };
      // a0^2 + a1^2 + 10 b0 + b1^2
      const loss = a.square().sum().add(deep[0].b.sum().mul(10)).add(deep[1].b.square().sum());
      return { outputs: gradientTree(loss, parameters) };
    },
  });
  const { a, deep } = await compiled.run({});
  expect([...a]).toEqual([4, 6]);
  expect(deep.map(({ b }) => [...b])).toEqual([[10], [14]]);
  compiled.dispose();
  await backend.dispose();
});
