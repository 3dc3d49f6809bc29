import type { Backend } from '@transfusion/tensor';
import { checkMarks, checkOnBackend, conformanceCases } from '@transfusion/tensor/conformance';
import { openWasm } from './index.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

describe('wasm: outputs and gradients of every case agree with the f64 reference', () => {
  for (const testCase of conformanceCases) {
    test(testCase.name, async () => expect(await checkOnBackend(backend, testCase)).toEqual([]));
  }
});

test('what is read while a run goes on is what it has written', async () => {
  expect(await checkMarks(backend)).toEqual([]);
});
