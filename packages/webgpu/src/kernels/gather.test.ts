/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, GatherKernel, ScatterAddKernel, WriteRowsKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { integers, largestError, normals } from '../testing/numbers.js';
import { gatherReference, scatterAddReference, writeRowsReference } from '../testing/row-references.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

const SHAPES = [
  { rows: 1, tableRows: 1, width: 1 },
  { rows: 3, tableRows: 17, width: 33 },
  { rows: 65, tableRows: 5, width: 4 },
  { rows: 300, tableRows: 17, width: 260 },
];

/** Indices over the table and a little beyond both ends, with the extremes of i32 among them. */
function wildIndices(rows: number, tableRows: number): Int32Array {
  const indices = integers(rows, 7, -2, tableRows + 2);
  if (rows > 2) {
    indices[1] = -(2 ** 31);
    indices[2] = 2 ** 31 - 1;
  }
  return indices;
}

describe.each(SHAPES)('rows $rows, table $tableRows x $width', ({ rows, tableRows, width }) => {
  const table = normals(tableRows * width, 1);
  const values = normals(rows * width, 2);
  const indices = wildIndices(rows, tableRows);

  test('gather', async () => {
    const run = new KernelRun(backend);
    const kernel: GatherKernel = {
      kind: 'gather',
      table: run.input(table),
      indices: run.input(indices),
      output: run.output(rows * width),
      rows,
      tableRows,
      width,
    };
    const [output] = await run.run([kernel], [kernel.output]);
    expect(Array.from(output!)).toEqual(Array.from(gatherReference(kernel, table, indices)));
  });

  test('scatterAdd', async () => {
    const run = new KernelRun(backend);
    const kernel: ScatterAddKernel = {
      kind: 'scatterAdd',
      updates: run.input(values),
      indices: run.input(indices),
      output: run.output(tableRows * width),
      rows,
      tableRows,
      width,
    };
    const [output] = await run.run([kernel], [kernel.output]);
    expect(largestError(output!, scatterAddReference(kernel, values, indices))).toBeLessThan(1e-5);
  });

  test('writeRows', async () => {
    const run = new KernelRun(backend);
    // Indices must not repeat: a permutation of the table's rows, shifted so that some fall outside.
    const distinct = Int32Array.from({ length: rows }, (_, i) => ((i * 7) % Math.max(rows, tableRows)) - 2);
    const kernel: WriteRowsKernel = {
      kind: 'writeRows',
      target: run.input(table),
      indices: run.input(distinct),
      values: run.input(values),
      rows,
      tableRows,
      width,
    };
    const [output] = await run.run([kernel], [kernel.target]);
    expect(Array.from(output!)).toEqual(Array.from(writeRowsReference(kernel, table, distinct, values)));
  });
});

test('scatterAdd adds in increasing order: exactly the f32 sums of a loop, over several chunks of indices', async () => {
  const [rows, tableRows, width] = [5000, 3, 5];
  const updates = normals(rows * width, 3);
  const indices = integers(rows, 4, 0, tableRows);
  const expected = new Float32Array(tableRows * width);
  for (let i = 0; i < rows * width; i++) {
    expected[indices[Math.floor(i / width)]! * width + (i % width)]! += updates[i]!;
  }
  const run = new KernelRun(backend);
  const operands = { updates: run.input(updates), indices: run.input(indices), output: run.output(tableRows * width) };
  const [output] = await run.run([{ kind: 'scatterAdd', ...operands, rows, tableRows, width }], [operands.output]);
  expect(Array.from(output!)).toEqual(Array.from(expected));
});
