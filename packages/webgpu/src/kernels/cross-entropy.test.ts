/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, CrossEntropyGradKernel, CrossEntropyKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { integers, largestError, normals } from '../testing/numbers.js';
import { crossEntropyReference, softmaxReference } from '../testing/row-references.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

const SHAPES = [
  [1, 1],
  [3, 17],
  [65, 3],
  [33, 65],
  [5, 1500],
] as const;

/** Some targets ignored: -1, the i32 extremes and one past the last class. */
function targetsFor(rows: number, classes: number): Int32Array {
  const targets = integers(rows, 21, 0, classes);
  [-1, classes, -(2 ** 31), 2 ** 31 - 1].forEach((ignored, i) => {
    if (2 * i + 1 < rows) targets[2 * i + 1] = ignored;
  });
  return targets;
}

test.each(SHAPES)('loss and lse of %i rows, %i classes', async (rows, classes) => {
  const logits = normals(rows * classes, 22, 5);
  const targets = targetsFor(rows, classes);
  const run = new KernelRun(backend);
  const operands = {
    logits: run.input(logits),
    targets: run.input(targets),
    loss: run.output(rows),
    lse: run.output(rows),
  };
  const kernel: CrossEntropyKernel = { kind: 'crossEntropy', rows, classes, ...operands };
  const [loss, lse] = await run.run([kernel], [kernel.loss, kernel.lse]);
  const reference = crossEntropyReference({ rows, classes }, logits, targets);
  expect(largestError(loss!, reference.loss)).toBeLessThan(3e-6);
  expect(largestError(lse!, reference.lse)).toBeLessThan(1e-6);
});

test.each(SHAPES)('the gradient of %i rows, %i classes', async (rows, classes) => {
  const logits = normals(rows * classes, 23, 5);
  const targets = targetsFor(rows, classes);
  const dLoss = normals(rows, 24);
  const run = new KernelRun(backend);
  const operands = {
    logits: run.input(logits),
    targets: run.input(targets),
    lse: run.input(Float32Array.from(crossEntropyReference({ rows, classes }, logits, targets).lse)),
    dLoss: run.input(dLoss),
    dLogits: run.output(logits.length),
  };
  const kernel: CrossEntropyGradKernel = { kind: 'crossEntropyGrad', rows, classes, ...operands };
  const [dLogits] = await run.run([kernel], [kernel.dLogits]);
  const probabilities = softmaxReference({ rows, columns: classes, log: false }, logits);
  const expected = probabilities.map((probability, i) => {
    const target = targets[Math.floor(i / classes)]!;
    if (target < 0 || target >= classes) return 0;
    return dLoss[Math.floor(i / classes)]! * (probability - (i % classes === target ? 1 : 0));
  });
  expect(largestError(dLogits!, expected)).toBeLessThan(3e-6);
});
