/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

test('adds', async () => {
  const run = new KernelRun(backend);
  const a = run.input(Float32Array.of(1, 2, 3));
  const out = run.output(3);
  const view = { buffer: a, offset: 0, strides: [1] };
  const [result] = await run.run(
    [{ kind: 'elementwise', shape: [3], inputs: [view], output: { buffer: out, offset: 0, strides: [1] }, expression: [{ op: 'load', input: 0 }, { op: 'add', a: 0, b: 0 }] }],
    [out],
  );
  expect([...result]).toEqual([2, 4, 6]);
  console.log(backend.description, backend.stats(), backend.limits);
});
