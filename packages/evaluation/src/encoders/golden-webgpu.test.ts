/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openWebGpu } from '@transfusion/webgpu';
import { classifierErrors, dualEncoderErrors } from './testing/golden.js';

let backend: Backend;
beforeAll(async () => (backend = await openWebGpu({ tuning: 'off' })));
afterAll(() => backend.dispose());

test.each([
  ['dual encoder', dualEncoderErrors],
  ['classifier', classifierErrors],
])('%s: as in PyTorch, on WebGPU', async (_name, errorsOf) => {
  expect((await errorsOf(backend)).filter(([, error]) => !(error < 1e-3))).toEqual([]);
});
