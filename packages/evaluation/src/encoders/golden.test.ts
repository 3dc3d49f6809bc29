/** @file Both networks against PyTorch: what they make of pictures and texts, their losses, every gradient. */
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { classifierErrors, dualEncoderErrors } from './testing/golden.js';

let backend: Backend;
beforeAll(async () => (backend = await openWasm({ threads: 1 })));
afterAll(() => backend.dispose());

test.each([
  ['dual encoder', dualEncoderErrors],
  ['classifier', classifierErrors],
])('%s: as in PyTorch', async (_name, errorsOf) => {
  const errors = await errorsOf(backend);
  expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
});
