import type { Backend } from '@transfusion/tensor';
import { faultCases, reportFault } from '@transfusion/tensor/conformance';
import { openWasm } from './index.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2, maxBytes: 2 ** 30 });
});
afterAll(() => backend.dispose());

test.each(faultCases.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
  const open = ({ memoryBytes }: { memoryBytes?: number } = {}) => openWasm({ threads: 1, maxBytes: memoryBytes });
  expect(await reportFault(backend, fault, open)).toEqual({
    ...{ code: fault.code, message: expect.stringMatching(fault.message) },
    ...{ leakedBytes: 0, leakedBuffers: 0, works: true },
  });
});
