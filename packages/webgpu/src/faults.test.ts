/** @jest-environment ./test/webgpu-environment.mjs */
import { faultCases, reportFault } from '@transfusion/tensor/conformance';
import type { WebGpuBackend } from './backend.js';
import { gpuWith, openTestBackend } from './testing/backend.js';

/** Smaller than adapters have, so that what is too large is tried for real. */
const limits = { maxStorageBufferBindingSize: 128 * 2 ** 20, maxBufferSize: 256 * 2 ** 20 };

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openTestBackend({ gpu: gpuWith({ limits, features: new Set() }) });
});
afterAll(() => backend.dispose());

test.each(faultCases.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
  const open = ({ memoryBytes }: { memoryBytes?: number } = {}) => openTestBackend({ memoryLimitBytes: memoryBytes });
  expect(await reportFault(backend, fault, open)).toEqual({
    ...{ code: fault.code, message: expect.stringMatching(fault.message) },
    ...{ leakedBytes: 0, leakedBuffers: 0, works: true },
  });
});
