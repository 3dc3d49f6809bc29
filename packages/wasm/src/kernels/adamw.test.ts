import { type KernelRun, useKernelRunner } from '../testing/kernel-runner.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

interface State {
  parameter: Float32Array;
  m: Float32Array;
  v: Float32Array;
}
interface Step {
  gradient: Float32Array;
  lr: number;
  gradientScale: number;
  step: number;
}

const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

function adamw(
  state: State,
  { gradient, lr, gradientScale, step }: Step,
): KernelRun<keyof State | 'gradient' | 'hyper' | 'gradientScale'> {
  const elements = gradient.length;
  return {
    inputs: {
      ...state,
      gradient,
      hyper: Float32Array.of(lr, 1 - options.beta1 ** step, 1 - options.beta2 ** step),
      gradientScale: Float32Array.of(gradientScale),
    },
    outputs: { parameter: elements, m: elements, v: elements },
    kernel: (buffers) => ({ kind: 'adamw', elements, ...options, ...buffers }),
  };
}

function reference({ parameter, m, v }: State, { gradient, lr, gradientScale, step }: Step) {
  const { beta1, beta2, epsilon, weightDecay } = options;
  const newM = Array.from(m, (value, i) => beta1 * value + (1 - beta1) * gradient[i] * gradientScale);
  const newV = Array.from(v, (value, i) => beta2 * value + (1 - beta2) * (gradient[i] * gradientScale) ** 2);
  const newParameter = Array.from(parameter, (value, i) => {
    const mean = newM[i] / (1 - beta1 ** step);
    const deviation = Math.sqrt(newV[i] / (1 - beta2 ** step));
    return value - lr * weightDecay * value - (lr * mean) / (deviation + epsilon);
  });
  return { parameter: newParameter, m: newM, v: newV };
}

test.each([1, 3, 17, 65, 100_003])('%d elements agree with the f64 reference', async (elements) => {
  const state = {
    parameter: floats(elements, 1),
    m: floats(elements, 2, 0.1),
    v: floats(elements, 3, 0.1).map(Math.abs),
  };
  const step = { gradient: floats(elements, 4), lr: 0.01, gradientScale: 0.37, step: 5 };
  await runner.check(adamw(state, step), reference(state, step), { absolute: 3e-7, relative: 1e-6 });
});

test('known values of three steps', async () => {
  let state: State = { parameter: Float32Array.of(1), m: new Float32Array(1), v: new Float32Array(1) };
  const known = [
    [0.5, 0.999670000006],
    [-0.25, 0.9995594990736274],
    [0.1, 0.9994331267674321],
  ];
  for (const [index, [gradient, expected]] of known.entries()) {
    const step = { gradient: Float32Array.of(gradient), lr: 3e-4, gradientScale: 1, step: index + 1 };
    state = (await runner.run(adamw(state, step))) as unknown as State;
    expect(Math.abs(state.parameter[0] - expected)).toBeLessThan(2e-7);
  }
});

test('a gradient scale of 0 leaves everything as it is, whatever the gradient', async () => {
  const state = { parameter: floats(9, 1), m: floats(9, 2), v: floats(9, 3).map(Math.abs) };
  const gradient = Float32Array.from({ length: 9 }, (_, i) => [Number.NaN, Number.POSITIVE_INFINITY, 1][i % 3]);
  expect(await runner.run(adamw(state, { gradient, lr: 0.01, gradientScale: 0, step: 2 }))).toEqual(state);
});
