import type { AttentionShape } from '@transfusion/tensor';
import { attentionCases, attentionInputs } from '../testing/attention-cases.js';
import { type AttentionInputs, attentionGradReference, attentionReference } from '../testing/attention-reference.js';
import { type KernelRun, useKernelRunner } from '../testing/kernel-runner.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

type Operand = 'q' | 'k' | 'v' | 'begin' | 'end' | 'lse' | 'delta' | 'dOutput' | 'dq' | 'dk' | 'dv';

function attentionGrad(shape: AttentionShape, inputs: AttentionInputs, dOutput: Float32Array): KernelRun<Operand> {
  const { lse } = attentionReference(shape, inputs);
  const { delta } = attentionGradReference(shape, inputs, dOutput);
  return {
    inputs: {
      ...(inputs as Record<'q' | 'k' | 'v', Float32Array> & AttentionInputs),
      lse: Float32Array.from(lse),
      delta: Float32Array.from(delta),
      dOutput,
    },
    outputs: { dq: inputs.q.length, dk: inputs.k.length, dv: inputs.v.length },
    kernel: (buffers) => ({ kind: 'attentionGrad', ...shape, ...buffers }),
  };
}

describe('the gradient of attention agrees with the f64 reference', () => {
  for (const { name, shape, interval } of attentionCases) {
    test(name, async () => {
      const inputs = attentionInputs(shape, interval);
      const dOutput = floats(inputs.q.length, 4);
      const { dq, dk, dv } = attentionGradReference(shape, inputs, dOutput);
      await runner.check(attentionGrad(shape, inputs, dOutput), { dq, dk, dv }, { absolute: 2e-5, relative: 1e-4 });
    });
  }
});

test('more keys than the scratch holds at once', async () => {
  const shape = { batch: 1, queries: 40, keys: 1000, heads: 2, kvHeads: 1, headDim: 130, scale: 0.05 };
  const inputs = attentionInputs(shape, (i) => [20 * i, 100 + 25 * i]);
  const dOutput = floats(inputs.q.length, 4);
  const { dq, dk, dv } = attentionGradReference(shape, inputs, dOutput);
  await runner.check(attentionGrad(shape, inputs, dOutput), { dq, dk, dv }, { absolute: 2e-5, relative: 1e-4 });
});

test('the gradient agrees with finite differences of the f64 reference', async () => {
  const shape = { batch: 2, queries: 9, keys: 11, heads: 4, kvHeads: 2, headDim: 5, scale: 0.3 };
  const inputs = attentionInputs(shape, (i, b) => [b, i % 4 === 3 ? 0 : i + 3]);
  const dOutput = floats(inputs.q.length, 4);
  const gradients = await runner.run(attentionGrad(shape, inputs, dOutput));
  for (const operand of ['q', 'k', 'v'] as const) {
    for (let at = 0; at < inputs[operand].length; at += 7) {
      const lossAt = (shift: number) => {
        const shifted = Float64Array.from(inputs[operand]);
        shifted[at] += shift;
        const { output } = attentionReference(shape, { ...inputs, [operand]: shifted });
        return output.reduce((loss, value, i) => loss + value * dOutput[i], 0);
      };
      const difference = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
      expect(gradients[`d${operand}`][at]).toBeCloseTo(difference, 4);
    }
  }
});
