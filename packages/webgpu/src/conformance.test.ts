/** @jest-environment ./test/webgpu-environment.mjs */
import { checkOnBackend, conformanceCases } from '@transfusion/tensor/conformance';
import type { WebGpuBackend } from './backend.js';
import { openTestBackend } from './testing/backend.js';

/** On a software adapter the second run covers the variants meant for GPUs. */
describe.each([
  ['variants of the adapter', {}],
  ['variants for GPUs', { asHardware: true }],
])('%s', (_, options) => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await openTestBackend(options);
  });
  afterAll(() => backend.dispose());

  test.each(conformanceCases.map((testCase) => [testCase.name, testCase] as const))('%s', async (_, testCase) => {
    expect(await checkOnBackend(backend, testCase)).toEqual([]);
  });
});
