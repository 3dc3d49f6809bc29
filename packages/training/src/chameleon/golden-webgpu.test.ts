/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openWebGpu } from '@transfusion/webgpu';
import { backendErrors, CHAMELEON_CASES } from '../testing/golden-chameleon.js';

let backend: Backend;
beforeAll(async () => (backend = await openWebGpu({ tuning: 'off' })));
afterAll(() => backend.dispose());

test.each(CHAMELEON_CASES)('%s: logits, losses and every gradient are as in PyTorch, on WebGPU', async (name) => {
  expect((await backendErrors(name, backend)).filter(([, error]) => !(error < 1e-3))).toEqual([]);
});
