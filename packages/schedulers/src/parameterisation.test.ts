import fc from 'fast-check';
import { guide } from './guidance.js';
import { minSnrWeight } from './min-snr.js';
import { createNoiseSchedule } from './noise-schedule.js';
import { createObjective } from './objective.js';
import { convertPrediction, type Parameterisation, targetCoefficients } from './parameterisation.js';

const cosine = createNoiseSchedule({ type: 'cosine' });
const flow = createNoiseSchedule({ type: 'flow' });
const parameterisations: readonly Parameterisation[] = ['epsilon', 'sample', 'v', 'flow'];

function mix(a: number, x: readonly number[], b: number, y: readonly number[]): Float64Array {
  return Float64Array.from(x, (value, i) => a * value + b * y[i]);
}

function expectAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-9): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThanOrEqual(tolerance);
}

describe('v prediction at 499', () => {
  const level = cosine.level(499);
  const [signal, noise, targetSignal, targetNoise] = targetCoefficients('v', level);
  const x0 = [0.2, -0.7];
  const epsilon = [1, -0.5];
  const sample = mix(signal, x0, noise, epsilon);
  const v = mix(targetSignal, x0, targetNoise, epsilon);

  test('equals the published values', () => {
    expectAllClose(sample, [0.8519947136, -0.8476413922], 1e-10);
    expectAllClose(v, [0.5604507186, 0.1466426618], 1e-10);
  });

  test('gives x0 and epsilon back', () => {
    expectAllClose(convertPrediction({ from: 'v', to: 'sample', level, sample, prediction: v }), x0, 1e-15);
    expectAllClose(convertPrediction({ from: 'v', to: 'epsilon', level, sample, prediction: v }), epsilon, 1e-15);
  });
});

describe('target coefficients', () => {
  test('flow: x_t = t x1 + (1 - t) z, target x1 - z, t = 1 - (timestep + 1) / T', () => {
    const objective = createObjective({ parameterisation: 'flow' });
    expect(objective.targetCoefficients(249)).toEqual([0.75, 0.25, 1, -1]);
    expect(objective.targetCoefficients(999)).toEqual([0, 1, 1, -1]);
  });

  test('the default is the paper: epsilon on the cosine schedule', () => {
    const [signal, noise, targetSignal, targetNoise] = createObjective().targetCoefficients(249);
    expect(signal).toBeCloseTo(0.9203326362, 10);
    expect(noise).toBeCloseTo(0.3911365985, 10);
    expect([targetSignal, targetNoise]).toEqual([0, 1]);
  });

  test('an objective round-trips through JSON', () => {
    const { config } = createObjective({ parameterisation: 'v', noiseSchedule: { type: 'flow', trainTimesteps: 8 } });
    expect(createObjective(JSON.parse(JSON.stringify(config))).config).toEqual(config);
  });
});

test('every conversion and back is the identity, on both schedules', () => {
  const parameterisation = fc.constantFrom(...parameterisations);
  const value = fc.double({ min: -4, max: 4, noNaN: true });
  const timestep = fc.integer({ min: 0, max: 990 });
  fc.assert(
    fc.property(
      parameterisation,
      parameterisation,
      fc.constantFrom(cosine, flow),
      timestep,
      value,
      value,
      (from, to, schedule, t, x0, epsilon) => {
        const level = schedule.level(t);
        const [signal, noise, fromSignal, fromNoise] = targetCoefficients(from, level);
        const [, , toSignal, toNoise] = targetCoefficients(to, level);
        const sample = mix(signal, [x0], noise, [epsilon]);
        const prediction = mix(fromSignal, [x0], fromNoise, [epsilon]);
        const converted = convertPrediction({ from, to, level, sample, prediction });
        expectAllClose(converted, mix(toSignal, [x0], toNoise, [epsilon]), 1e-10);
        expectAllClose(
          convertPrediction({ from: to, to: from, level, sample, prediction: converted }),
          prediction,
          1e-10,
        );
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test('what cannot be determined is refused', () => {
  const sample = Float32Array.of(1);
  const convert = () =>
    convertPrediction({ from: 'epsilon', to: 'sample', level: flow.level(999), sample, prediction: sample });
  expect(convert).toThrow('SCHEDULER_SINGULAR');
});

describe('classifier-free guidance', () => {
  const conditional = Float32Array.of(1, 2);
  const unconditional = Float32Array.of(0.5, 2.5);

  test('published values', () => {
    expect([...guide(unconditional, conditional, 3)]).toEqual([2, 1]);
    expect([...guide(unconditional, conditional, 5)]).toEqual([3, 0]);
    expect([...guide(unconditional, conditional, 0)]).toEqual([0.5, 2.5]);
  });

  test('scale 1 is the conditional prediction, bit for bit', () => {
    const bits = (values: Float32Array) => [...new Uint32Array(values.buffer)];
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1 }), (values) => {
        const shifted = values.map((value) => value / 3 + 1);
        expect(bits(guide(shifted, values, 1))).toEqual(bits(values.slice()));
      }),
      { seed: 1 },
    );
  });

  test('lengths that disagree are refused', () => {
    expect(() => guide(unconditional, Float32Array.of(1), 3)).toThrow('SCHEDULER_LENGTH_MISMATCH');
  });
});

describe('min-SNR weights', () => {
  test.each([
    [99, 0.14354218, 5, 0.13953631],
    [249, 0.90310296, 5, 0.76493919],
    [499, 1, 0.97567388, 0.49384359],
    [749, 1, 0.16859577, 0.1442721],
  ])('gamma 5 at %i', (timestep, epsilon, sample, v) => {
    const level = cosine.level(timestep);
    expect(minSnrWeight({ parameterisation: 'epsilon', level })).toBeCloseTo(epsilon, 7);
    expect(minSnrWeight({ parameterisation: 'sample', level })).toBeCloseTo(sample, 7);
    expect(minSnrWeight({ parameterisation: 'v', level })).toBeCloseTo(v, 7);
  });

  test('weigh the same error in x0 alike, whatever is predicted', () => {
    const level = cosine.level(300);
    const sample = Float64Array.of(0.4);
    const errors = parameterisations.map((parameterisation) => {
      const predict = (x0: number) =>
        convertPrediction({ from: 'sample', to: parameterisation, level, sample, prediction: Float64Array.of(x0) })[0];
      return minSnrWeight({ parameterisation, level }) * (predict(1.1) - predict(1)) ** 2;
    });
    for (const error of errors) expect(error / errors[0]).toBeCloseTo(1, 9);
  });
});
