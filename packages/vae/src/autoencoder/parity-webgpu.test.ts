/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openWebGpu } from '@transfusion/webgpu';
import { klErrors, vqErrors, worst } from '../testing/parity.js';

describe('against PyTorch, on WebGPU', () => {
  let backend: Backend;
  beforeAll(async () => (backend = await openWebGpu({ tuning: 'off' })));
  afterAll(() => backend.dispose());

  test('the KL autoencoder, forwards and the gradient of every parameter', async () => {
    const errors = await klErrors(backend);
    expect(worst(errors).error).toBeLessThan(1e-3);
  });

  test('the VQ autoencoder, forwards and the gradient of every parameter', async () => {
    const errors = await vqErrors(backend);
    expect(errors.codes).toBe(0);
    expect(worst(errors).error).toBeLessThan(1e-3);
  });
});
