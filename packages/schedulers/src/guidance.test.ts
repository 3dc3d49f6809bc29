import { constant, evaluate, type Tensor } from '@transfusion/tensor';
import { guide, guideRenormed, guideRescaled, planGuidance } from './guidance.js';
import { guideInGraph, guideRenormedInGraph, guideRescaledInGraph } from './guidance-in-graph.js';
import { createScheduler } from './scheduler.js';
import { expectAllClose } from './testing/expect-all-close.js';

const images = 3;
const each = 8;
const wave = (phase: number, size = 1) =>
  Float32Array.from({ length: images * each }, (_, i) => size * (0.3 + Math.sin(1.3 * i + phase)));
const tensor = (values: Float32Array) => constant(values, [images, 2, 2, 2]);
const number = (value: number) => constant(Float32Array.of(value), [1]);
const valuesOf = (of: Tensor) => evaluate([of], new Map())[0];
/** A function of one image's predictions, image by image. */
function perImage([a, b]: Float32Array[], fn: (a: Float64Array, b: Float64Array) => Float64Array): number[] {
  return Array.from({ length: images }, (_, i) => {
    const [own, other] = [a, b].map((values) => Float64Array.from(values.subarray(i * each, (i + 1) * each)));
    return [...fn(own, other)];
  }).flat();
}

test.each([3, 1, 0, -0.5])('guidance of %d in a graph is that on the host', (scale) => {
  const guided = valuesOf(guideInGraph(tensor(wave(1)), tensor(wave(2)), number(scale)));
  expectAllClose(guided, guide(Float64Array.from(wave(1)), Float64Array.from(wave(2)), scale), 1e-15);
});

describe('rescaled guidance', () => {
  const [guided, conditional] = [Float64Array.of(1, 5, 3, 9), Float64Array.of(2, 3, 2, 5)];

  test('is what diffusers computes (rescale_noise_cfg)', () => {
    // std with Bessel's correction there: sqrt(35 / 3) and sqrt(6 / 3); the ratio is the same.
    const ratio = Math.sqrt(2) / Math.sqrt(35 / 3);
    const expected = [...guided].map((value) => 0.7 * value * ratio + 0.3 * value);
    expectAllClose(guideRescaled(guided, conditional, 0.7), expected, 1e-14);
    expect(guideRescaled(guided, conditional, 0)).toEqual(guided);
  });

  test('a flat prediction stays what it is', () => {
    expect(guideRescaled(Float64Array.of(2, 2), Float64Array.of(1, 4), 1)).toEqual(Float64Array.of(2, 2));
    const flat = valuesOf(guideRescaledInGraph(tensor(wave(0).fill(2)), tensor(wave(2)), number(1)));
    expectAllClose(flat, wave(0).fill(2), 1e-6);
  });

  test.each([0, 0.7, 1])('by %d in a graph is that on the host, image by image', (rescale) => {
    const got = valuesOf(guideRescaledInGraph(tensor(wave(1, 4)), tensor(wave(2)), number(rescale)));
    expectAllClose(
      got,
      perImage([wave(1, 4), wave(2)], (a, b) => guideRescaled(a, b, rescale)),
      1e-6,
    );
  });
});

describe('renormed guidance', () => {
  const [guided, conditional] = [Float64Array.of(6, 8), Float64Array.of(0, 5)];

  test("is BAGEL's, clamped on both sides", () => {
    expect(guideRenormed(guided, conditional, 0)).toEqual(Float64Array.of(3, 4));
    expect(guideRenormed(guided, conditional, 0.8)).toEqual(Float64Array.of(6 * 0.8, 8 * 0.8));
    expect(guideRenormed(conditional, guided, 0)).toEqual(conditional);
    expect(guideRenormed(Float64Array.of(0, 0), guided, 0)).toEqual(Float64Array.of(0, 0));
  });

  test.each([
    [0, 4],
    [0.5, 4],
    [0, 0.1],
  ])('from %d in a graph is that on the host, where the guided prediction is %d times as large', (renorm, size) => {
    const got = valuesOf(guideRenormedInGraph(tensor(wave(1, size)), tensor(wave(2)), number(renorm)));
    expectAllClose(
      got,
      perImage([wave(1, size), wave(2)], (a, b) => guideRenormed(a, b, renorm)),
      1e-6,
    );
  });
});

describe('the interval', () => {
  const heun = createScheduler({ type: 'heun' }).plan(4);
  const common = { plan: heun, trainTimesteps: 1000, scale: 3 };

  test('is everywhere unless it is chosen', () => {
    expect(planGuidance(common)).toEqual({ scales: new Array(7).fill(3), rescale: 0, renorm: undefined });
  });

  test('is of noise levels on the flow schedule, its lower end not included, for each evaluation by itself', () => {
    expect(heun.evaluations.map(({ timestep }) => (timestep + 1) / 1000)).toEqual([
      1, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25,
    ]);
    expect(planGuidance({ ...common, interval: [0.25, 0.75] }).scales).toEqual([1, 3, 3, 3, 3, 1, 1]);
  });
});
