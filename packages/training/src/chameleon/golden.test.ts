/** @file A step of Chameleon against PyTorch's, written from the papers (scripts/golden_chameleon_step.py). */
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import {
  BATCH_ARRAYS,
  backendErrors,
  batchArray,
  CHAMELEON_CASES,
  exactErrors,
  packedDocuments,
} from '../testing/golden-chameleon.js';
import { countTokenTargets } from './objective.js';

/** f64 here and there, but for the tables of rotations, which are f32 here. */
const F64 = 3e-6;
/** f32 rounds at 6e-8, added up through two blocks, forwards and backwards. */
const F32 = 1e-5;

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

test('the batch is what is packed of the documents', () => {
  const packed = packedDocuments();
  expect(packed.unplaced).toEqual([]);
  for (const name of BATCH_ARRAYS) expect([name, [...packed[name]]]).toEqual([name, [...batchArray(name)]]);
  const { all, images } = countTokenTargets(packed.targets, { first: 16, eoi: 14 });
  expect([[all], [images]]).toEqual([[...batchArray('targetCount')], [...batchArray('imageCount')]]);
});

describe.each(CHAMELEON_CASES)('%s: logits, losses and every gradient are as in PyTorch', (name) => {
  test('in f64', () => {
    expect(exactErrors(name).filter(([, error]) => !(error < F64))).toEqual([]);
  });

  test('on wasm', async () => {
    expect((await backendErrors(name, backend)).filter(([, error]) => !(error < F32))).toEqual([]);
  });
});
