/** Whole samplers on N(2, 0.5), whose best prediction is known, and the exact map from noise to data. */
import { createScheduler, type Scheduler } from '../scheduler.js';
import type { TimestepSpacing } from '../spacing.js';
import { expectAllClose } from '../testing/expect-all-close.js';
import { bestEpsilon, bestVelocity, gaussian, runPlan } from '../testing/run-plan.js';

const start = Float64Array.of(-1, 0, 1);
/** Where the differential equation leads from `start` on the cosine schedule, and on the flow schedule. */
const exact = { cosine: [1.499950717, 1.9999507175, 2.4999507179], flow: [1.5, 2, 2.5] };

const onCosine = (scheduler: Scheduler, steps: number) =>
  runPlan({ scheduler, steps, start, network: bestEpsilon(scheduler) });
const onFlow = (scheduler: Scheduler, steps: number) =>
  runPlan({ scheduler, steps, start, network: bestVelocity(scheduler) });
const greatest = (values: Float64Array, expected: number[]) =>
  Math.max(...values.map((value, i) => Math.abs(value - expected[i])));

describe('DDIM', () => {
  test.each<[number, TimestepSpacing, number[]]>([
    [1000, 'even', [1.5007615009, 1.9999507974, 2.4991400939]],
    [250, 'even', [1.5030719081, 1.9999510251, 2.4968301421]],
    [250, 'leading', [1.4984578488, 1.9953536906, 2.4922495324]],
    [250, 'trailing', [1.5031388953, 1.9999510317, 2.496763168]],
    [50, 'even', [1.5154144323, 1.9999522415, 2.4844900507]],
  ])('%i steps, %s', (steps, spacing, expected) => {
    expectAllClose(onCosine(createScheduler({ type: 'ddim', spacing }), steps), expected, 1e-10);
  });

  test('tends to the exact map of the differential equation', () => {
    const scheduler = createScheduler({ type: 'ddim', noiseSchedule: { type: 'cosine' } });
    const error = (steps: number) => greatest(onCosine(scheduler, steps), exact.cosine);
    const ratio = error(250) / error(500);
    expect(error(1000)).toBeLessThan(1e-3);
    expect(ratio).toBeGreaterThan(1.8);
    expect(ratio).toBeLessThan(2.2);
  });
});

describe('DPM-Solver++(2M)', () => {
  test.each([5, 20, 100])('is the loop that k-diffusion has, in %i steps', (steps) => {
    const scheduler = createScheduler({ type: 'dpmpp_2m' });
    const levels = scheduler.plan(steps).evaluations.map(({ timestep }) => scheduler.noiseSchedule.level(timestep));
    const sigmas = [...levels.map(({ signal, noise }) => noise / signal), 0];
    // Of x / signal, in t = -ln sigma.
    const denoised = (x: number, sigma: number) => {
      const gain = gaussian.deviation ** 2 / (gaussian.deviation ** 2 + sigma ** 2);
      return gaussian.mean + gain * (x - gaussian.mean);
    };
    const expected = [...start].map((begin) => {
      let x = begin / levels[0].signal;
      let old: number | undefined;
      for (let i = 0; i < steps; i++) {
        const [t, next] = [-Math.log(sigmas[i]), -Math.log(sigmas[i + 1])];
        const estimate = denoised(x, sigmas[i]);
        const h = next - t;
        let d = estimate;
        if (old !== undefined && sigmas[i + 1] !== 0) {
          const r = (t + Math.log(sigmas[i - 1])) / h;
          d = (1 + 1 / (2 * r)) * estimate - (1 / (2 * r)) * old;
        }
        x = (sigmas[i + 1] / sigmas[i]) * x - Math.expm1(-h) * d;
        old = estimate;
      }
      return x;
    });
    expectAllClose(onCosine(scheduler, steps), expected, 1e-10);
  });

  test('is of second order', () => {
    // Even spacing, whose first step does not grow where the last beta was capped.
    const scheduler = createScheduler({ type: 'dpmpp_2m', spacing: 'even' });
    const error = (steps: number) => greatest(onCosine(scheduler, steps), exact.cosine);
    expect(error(25) / error(50)).toBeGreaterThan(3.6);
    expect(error(25) / error(50)).toBeLessThan(4.4);
  });

  test('is far nearer to the exact map than DDIM of as many steps', () => {
    const error = (type: 'ddim' | 'dpmpp_2m') => greatest(onCosine(createScheduler({ type }), 50), exact.cosine);
    expect(error('dpmpp_2m')).toBeLessThan(error('ddim') / 10);
  });
});

describe('Euler on the flow', () => {
  const scheduler = createScheduler({ type: 'euler' });

  test('16 and 50 steps', () => {
    expect(onFlow(scheduler, 16)[0]).toBeCloseTo(1.5443169066, 9);
    expect(onFlow(scheduler, 50)[0]).toBeCloseTo(1.5146032617, 9);
  });

  test('is of first order', () => {
    const error = (steps: number) => greatest(onFlow(scheduler, steps), exact.flow);
    expect(error(100) / error(200)).toBeCloseTo(2, 1);
  });
});

describe('Heun on the flow', () => {
  const scheduler = createScheduler({ type: 'heun' });

  /** Heun's method as textbooks have it, on the exact velocity. */
  function textbook(z: number, steps: number, lastIsEuler: boolean): number {
    const variance = gaussian.deviation ** 2;
    const velocity = (x: number, t: number) =>
      gaussian.mean + ((t * variance - (1 - t)) * (x - t * gaussian.mean)) / (t * t * variance + (1 - t) ** 2);
    let x = z;
    for (let i = 0; i < steps; i++) {
      const [t, next] = [i / steps, (i + 1) / steps];
      const slope = velocity(x, t);
      const trial = x + slope / steps;
      x = lastIsEuler && i === steps - 1 ? trial : x + (slope + velocity(trial, next)) / 2 / steps;
    }
    return x;
  }

  test('is the textbook loop, whose published value it has but for the last step', () => {
    expect(textbook(-1, 16, false)).toBeCloseTo(1.4992361902, 9);
    for (const steps of [1, 2, 16, 50]) {
      const expected = [...start].map((z) => textbook(z, steps, true));
      expectAllClose(onFlow(scheduler, steps), expected, 1e-12);
    }
  });

  test('is of second order', () => {
    const error = (steps: number) => greatest(onFlow(scheduler, steps), exact.flow);
    expect(error(100) / error(200)).toBeGreaterThan(3.6);
    expect(error(100) / error(200)).toBeLessThan(4.4);
  });
});

test('DDPM samples have the mean and the variance of the target', () => {
  const count = 4000;
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const drawNoise = () =>
    Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  const scheduler = createScheduler({ type: 'ddpm' });
  const network = bestEpsilon(scheduler);
  const samples = runPlan({ scheduler, steps: 250, start: drawNoise(), network, drawNoise });
  const mean = samples.reduce((total, value) => total + value, 0) / count;
  const deviation = Math.sqrt(samples.reduce((total, value) => total + (value - mean) ** 2, 0) / count);
  // Four standard errors of the mean and of the deviation, and the bias of 250 steps.
  expect(Math.abs(mean - gaussian.mean)).toBeLessThan((4 * gaussian.deviation) / Math.sqrt(count));
  const bound = (4 * gaussian.deviation) / Math.sqrt(2 * count) + 0.01;
  expect(Math.abs(deviation - gaussian.deviation)).toBeLessThan(bound);
});
