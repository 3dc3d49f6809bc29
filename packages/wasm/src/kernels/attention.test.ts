import type { AttentionKernel, AttentionShape } from '@transfusion/tensor';
import { attentionCases, attentionInputs } from '../testing/attention-cases.js';
import { type AttentionInputs, attentionReference } from '../testing/attention-reference.js';
import { type KernelRun, useKernelRunner } from '../testing/kernel-runner.js';
import { encodeAttention } from './attention.js';

const runner = useKernelRunner();

type Operand = 'q' | 'k' | 'v' | 'begin' | 'end' | 'output' | 'lse';

function attention(shape: AttentionShape, inputs: AttentionInputs): KernelRun<Operand> {
  const rows = shape.batch * shape.queries * shape.heads;
  return {
    inputs: inputs as Record<'q' | 'k' | 'v', Float32Array> & AttentionInputs,
    outputs: { output: rows * shape.headDim, lse: rows },
    kernel: (buffers) => ({ kind: 'attention', sharedKeys: false, ...shape, ...buffers }),
  };
}

describe('attention agrees with the f64 reference', () => {
  for (const { name, shape, interval } of attentionCases) {
    test(name, async () => {
      const inputs = attentionInputs(shape, interval);
      await runner.check(attention(shape, inputs), attentionReference(shape, inputs), { absolute: 3e-6 });
    });
  }
});

test('scores of hundreds, where a softmax without the maximum would overflow', async () => {
  const shape = { batch: 1, queries: 9, keys: 300, heads: 1, kvHeads: 1, headDim: 16, scale: 40 };
  const inputs = attentionInputs(shape, () => [0, 300]);
  await runner.check(attention(shape, inputs), attentionReference(shape, inputs), { absolute: 1e-4, relative: 1e-4 });
});

test('keys that no query sees may hold anything', async () => {
  const shape = { batch: 1, queries: 12, keys: 20, heads: 2, kvHeads: 1, headDim: 5, scale: 0.4 };
  const inputs = attentionInputs(shape, (i) => [Math.max(0, i - 2), i + 1]);
  const clean = await runner.run(attention(shape, inputs));
  const k = Float32Array.from(inputs.k);
  const v = Float32Array.from(inputs.v);
  k.fill(Number.NaN, 12 * 5);
  v.fill(Number.NaN, 12 * 5);
  const dirty = await runner.run(attention(shape, { ...inputs, k, v }));
  expect(dirty).toEqual(clean);
});

test('a head too wide for the scratch is refused', () => {
  const kernel = {
    kind: 'attention',
    sharedKeys: false,
    batch: 1,
    queries: 1,
    keys: 1,
    heads: 1,
    kvHeads: 1,
    headDim: 1025,
  } as AttentionKernel;
  const context = { address: () => 0, elements: () => 0, scratch: () => 0, threads: 1, tileColumns: 8 };
  expect(() => encodeAttention(kernel, context)).toThrow(/KERNEL_TOO_LARGE: .*1025.*1024/);
});
