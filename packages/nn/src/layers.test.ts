import { constant, evaluate, type Tensor } from '@transfusion/tensor';
import { linear, linearSpec, project, rmsNorm, swiglu, swigluSpec } from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

function expectClose(actual: readonly number[], expected: readonly number[], digits = 9): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, digits));
}

describe('rmsNorm', () => {
  test('of [1, -2, 3, -4], epsilon 1e-5', () => {
    const y = rmsNorm(tensor([4], 1, 1, 1, 1), tensor([1, 4], 1, -2, 3, -4), 1e-5);
    expectClose(values(y), [0.3651481282, -0.7302962565, 1.0954443847, -1.460592513]);
  });

  test('multiplies by the gain, per channel, and works row by row', () => {
    const y = rmsNorm(tensor([2], 2, -1), tensor([2, 2], 3, 4, 300, 400), 0);
    const rms = Math.sqrt(12.5);
    expectClose(values(y), [6 / rms, -4 / rms, 6 / rms, -4 / rms]);
  });

  test('its default epsilon is 1e-5', () => {
    expectClose(values(rmsNorm(tensor([1], 1), tensor([1], 1e-3))), [1e-3 / Math.sqrt(1e-6 + 1e-5)], 7);
  });
});

test('SiLU of -2 to 2', () => {
  const y = tensor([5], -2, -1, 0, 1, 2).silu();
  expectClose(values(y), [-0.238405844, -0.2689414214, 0, 0.7310585786, 1.761594156]);
});

test('GELU is x Phi(x), by the error function', () => {
  // Phi(1) and Phi(-2) from tables of the normal distribution.
  expectClose(values(tensor([3], 1, -2, 0).gelu()), [0.8413447461, -2 * 0.0227501319, 0]);
});

describe('projections', () => {
  const weight = tensor([3, 2], 1, 2, 3, 4, 5, 6); // [outputs, inputs]

  test('weights are [outputs, inputs]', () => {
    expect(values(project(weight, tensor([1, 2], 1, -1)))).toEqual([-1, -1, -1]);
    expect(project(weight, tensor([2, 1, 2], 1, 0, 0, 1)).shape).toEqual([2, 1, 3]);
  });

  test('linear adds its bias', () => {
    expect(values(linear({ weight, bias: tensor([3], 10, 20, 30) }, tensor([1, 2], 1, 0)))).toEqual([11, 23, 35]);
  });

  test('SwiGLU is down(silu(gate x) * up x)', () => {
    const p = { gate: tensor([2, 1], 1, -2), up: tensor([2, 1], 3, 5), down: tensor([1, 2], 7, 11) };
    const silu = (x: number) => x / (1 + Math.exp(-x));
    expectClose(values(swiglu(p, tensor([1, 1], 2))), [7 * silu(2) * 6 + 11 * silu(-4) * 10], 5);
  });

  test('specs have the shapes that the layers take', () => {
    const { gate, up, down } = swigluSpec({ channels: 4, hidden: 6, std: 1, outputStd: 0.5 });
    expect([gate.shape, up.shape, down.shape]).toEqual([
      [6, 4],
      [6, 4],
      [4, 6],
    ]);
    const spec = linearSpec({ inputs: 4, outputs: 3, std: 0.1 });
    expect([spec.weight.shape, spec.bias.shape]).toEqual([[3, 4], [3]]);
    expect([spec.weight.decays, spec.bias.decays]).toEqual([true, false]);
  });
});
