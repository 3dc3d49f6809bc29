import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { klErrors, vqErrors, worst } from '../testing/parity.js';

describe('against PyTorch, on wasm', () => {
  let backend: Backend;
  beforeAll(async () => (backend = await openWasm({ threads: 1 })));
  afterAll(() => backend.dispose());

  test('the KL autoencoder: moments, reconstructions, losses and the gradient of every parameter', async () => {
    const errors = await klErrors(backend);
    expect(Object.keys(errors)).toHaveLength(5 + 124);
    expect(worst(errors).error).toBeLessThan(1e-4);
  });

  test('the VQ autoencoder: codes, reconstruction, losses and the gradient of every parameter', async () => {
    const errors = await vqErrors(backend);
    expect(errors.codes).toBe(0);
    expect(worst(errors).error).toBeLessThan(1e-4);
  });
});
