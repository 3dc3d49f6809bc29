/** Whole samplers on N(2, 0.5), whose best prediction is known, and the exact map from noise to data. */
import { cosineBetas } from '../noise-schedule.js';
import { convertPrediction } from '../parameterisation.js';
import { createScheduler, type Scheduler, type SchedulerOptions } from '../scheduler.js';
import type { TimestepSpacing } from '../spacing.js';
import { expectAllClose } from '../testing/expect-all-close.js';
import { bestEpsilon, bestVelocity, gaussian, type Network, runPlan } from '../testing/run-plan.js';
import { initialState, updateSample } from '../update-sample.js';

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

describe('on the flow, in whole timesteps', () => {
  const noiseSchedule = { type: 'flow' } as const;
  const flowing = (type: 'ddim' | 'dpmpp_2m') => createScheduler({ type, parameterisation: 'flow', noiseSchedule });

  test('DDIM is Euler', () => {
    expect(onFlow(flowing('ddim'), 50)[0]).toBeCloseTo(1.5146032617, 9);
    for (const steps of [1, 4, 100]) {
      expectAllClose(onFlow(flowing('ddim'), steps), [...onFlow(createScheduler({ type: 'euler' }), steps)], 1e-12);
    }
  });

  test.each([5, 20, 100])('DPM-Solver++(2M) is the update that diffusers has, in %i steps', (steps) => {
    const variance = gaussian.deviation ** 2;
    const estimateAt = (x: number, sigma: number) => {
      const alpha = 1 - sigma;
      const gain = (alpha * variance) / (alpha ** 2 * variance + sigma ** 2);
      return gaussian.mean + gain * (x - alpha * gaussian.mean);
    };
    const sigmas = Array.from({ length: steps + 1 }, (_, i) => 1 - i / steps);
    const lambda = (sigma: number) => Math.log(1 - sigma) - Math.log(sigma);
    const expected = [...start].map((begin) => {
      let [x, old] = [begin, 0];
      for (let i = 0; i < steps; i++) {
        const [current, next] = [sigmas[i], sigmas[i + 1]];
        const estimate = estimateAt(x, current);
        const h = lambda(next) - lambda(current);
        const difference =
          i === 0 || i === steps - 1 ? 0 : (estimate - old) / ((lambda(current) - lambda(sigmas[i - 1])) / h);
        const decay = (1 - next) * (Math.exp(-h) - 1);
        x = (next / current) * x - decay * estimate - 0.5 * decay * difference;
        old = estimate;
      }
      return x;
    });
    expectAllClose(onFlow(flowing('dpmpp_2m'), steps), expected, 1e-10);
  });

  test('DPM-Solver++(2M) is of second order but for a logarithm, and far nearer than DDIM', () => {
    const error = (type: 'ddim' | 'dpmpp_2m', steps: number) => greatest(onFlow(flowing(type), steps), exact.flow);
    // ln(signal / noise) has no bound at either end, where neighbouring steps gain unequally: ln(n) / n^2.
    const slope = error('dpmpp_2m', 250) / error('dpmpp_2m', 500);
    expect(slope).toBeGreaterThan(3.4);
    expect(slope).toBeLessThan(4);
    expect(error('dpmpp_2m', 50)).toBeLessThan(error('ddim', 50) / 8);
  });
});

describe('DDPM', () => {
  /** Mean and deviation of what it draws, exactly: with the best prediction every update is affine, and noise adds its variance. */
  function moments(scheduler: Scheduler, steps: number): { mean: number; deviation: number } {
    const network = scheduler.noiseSchedule.config.type === 'flow' ? bestVelocity(scheduler) : bestEpsilon(scheduler);
    let [mean, variance] = [0, 1];
    for (const evaluation of scheduler.plan(steps).evaluations) {
      const sample = Float64Array.of(0, 1);
      const prediction = network(sample, evaluation.timestep);
      const after = updateSample({ evaluation, state: initialState(sample), prediction, noise: new Float64Array(2) });
      const [offset, slope] = [after.sample[0], after.sample[1] - after.sample[0]];
      mean = slope * mean + offset;
      variance = slope ** 2 * variance + evaluation.next.noise ** 2;
    }
    return { mean, deviation: Math.sqrt(variance) };
  }

  test('over all timesteps: the moments of algorithm 2, written in betas', () => {
    const betas = cosineBetas({ trainTimesteps: 1000, offset: 0.008, maxBeta: 0.999 });
    let product = 1;
    const alphaBars = betas.map((beta) => (product *= 1 - beta));
    let [mean, variance] = [0, 1];
    for (let t = 999; t >= 0; t--) {
      const [alphaBar, before] = [alphaBars[t], t === 0 ? 1 : alphaBars[t - 1]];
      const gain =
        (Math.sqrt(alphaBar) * gaussian.deviation ** 2) / (alphaBar * gaussian.deviation ** 2 + 1 - alphaBar);
      const fromX0 = (betas[t] * Math.sqrt(before)) / (1 - alphaBar);
      const fromX = ((1 - before) * Math.sqrt(1 - betas[t])) / (1 - alphaBar);
      mean = fromX0 * (gaussian.mean + gain * (mean - Math.sqrt(alphaBar) * gaussian.mean)) + fromX * mean;
      variance = (fromX0 * gain + fromX) ** 2 * variance + (betas[t] * (1 - before)) / (1 - alphaBar);
    }
    const own = moments(createScheduler({ type: 'ddpm' }), 1000);
    expectAllClose([own.mean, own.deviation], [mean, Math.sqrt(variance)], 1e-10);
  });

  test('tends to the mean and the deviation of the target, in first order', () => {
    const error = (steps: number) => {
      const { mean, deviation } = moments(createScheduler({ type: 'ddpm', spacing: 'even' }), steps);
      // The cosine schedule starts with a signal of 5e-5.
      expect(Math.abs(mean - gaussian.mean)).toBeLessThan(1e-4);
      return Math.abs(deviation - gaussian.deviation);
    };
    expect(error(1000)).toBeLessThan(3e-3);
    for (const steps of [125, 250, 500]) expect(Math.abs(error(steps) / error(2 * steps) - 2)).toBeLessThan(0.1);
  });

  test("on the flow schedule: the moments of Bayes' rule, which tend to the target in first order", () => {
    const scheduler = createScheduler({ type: 'ddpm', parameterisation: 'flow' });
    const steps = 40;
    let [mean, variance] = [0, 1];
    for (let i = steps; i >= 1; i--) {
      const [t, s] = [i / steps, (i - 1) / steps];
      const gain = ((1 - t) * gaussian.deviation ** 2) / ((1 - t) ** 2 * gaussian.deviation ** 2 + t ** 2);
      // x_s given x0 is normal, and x_t = r x_s + noise: precisions add up, and so do means weighted by them.
      const r = (1 - t) / (1 - s);
      const added = t ** 2 - r ** 2 * s ** 2;
      const posterior = s === 0 ? 0 : 1 / (1 / s ** 2 + r ** 2 / added);
      const fromX0 = s === 0 ? 1 : (posterior * (1 - s)) / s ** 2;
      const fromX = (posterior * r) / added;
      mean = fromX0 * (gaussian.mean + gain * (mean - (1 - t) * gaussian.mean)) + fromX * mean;
      variance = (fromX0 * gain + fromX) ** 2 * variance + posterior;
    }
    const own = moments(scheduler, steps);
    expectAllClose([own.mean, own.deviation], [mean, Math.sqrt(variance)], 1e-12);
    expect(own.mean).toBeCloseTo(gaussian.mean, 12);
    const error = (count: number) => Math.abs(moments(scheduler, count).deviation - gaussian.deviation);
    for (const count of [125, 250, 500]) expect(Math.abs(error(count) / error(2 * count) - 2)).toBeLessThan(0.1);
  });

  test('samples with real noise have them', () => {
    const count = 4000;
    let state = 1;
    const uniform = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const drawNoise = () => Float64Array.from({ length: count }, normal);
    const scheduler = createScheduler({ type: 'ddpm' });
    const network = bestEpsilon(scheduler);
    const samples = runPlan({ scheduler, steps: 250, start: drawNoise(), network, drawNoise });
    const expected = moments(scheduler, 250);
    const mean = samples.reduce((total, value) => total + value, 0) / count;
    const deviation = Math.sqrt(samples.reduce((total, value) => total + (value - mean) ** 2, 0) / count);
    // Four standard errors of the mean and of the deviation.
    expect(Math.abs(mean - expected.mean)).toBeLessThan((4 * gaussian.deviation) / Math.sqrt(count));
    expect(Math.abs(deviation - expected.deviation)).toBeLessThan((4 * gaussian.deviation) / Math.sqrt(2 * count));
  });
});

describe('whatever is predicted, the path is the same', () => {
  const cosine = (['ddpm', 'ddim', 'dpmpp_2m'] as const).flatMap((type) =>
    (['epsilon', 'sample', 'v', 'flow'] as const).map((parameterisation) => ({ type, parameterisation })),
  );
  const flow = (['euler', 'heun', 'ddpm', 'ddim', 'dpmpp_2m'] as const).flatMap((type) =>
    (['sample', 'v', 'flow'] as const).map((parameterisation) => ({ type, parameterisation })),
  );

  /** The sample after every evaluation, with the same noise each time. */
  function path(options: SchedulerOptions, network: Network): number[] {
    const { noiseSchedule, plan, config } = createScheduler(options);
    const [from, to] = [noiseSchedule.config.type === 'flow' ? 'flow' : 'epsilon', config.parameterisation] as const;
    let state = initialState(start);
    return plan(12).evaluations.flatMap((evaluation, i) => {
      const { sample } = state;
      const best = network(sample, evaluation.timestep);
      const level = noiseSchedule.level(evaluation.timestep);
      const prediction = convertPrediction({ from, to, level, sample, prediction: best });
      state = updateSample({ evaluation, state, prediction, noise: start.map((x) => Math.sin(x + i)) });
      return [...state.sample];
    });
  }

  test.each(cosine)('on the cosine schedule: $type, $parameterisation', ({ type, parameterisation }) => {
    const network = bestEpsilon(createScheduler({ type }));
    const noiseSchedule = { type: 'cosine' } as const;
    const expected = path({ type, parameterisation: 'epsilon', noiseSchedule }, network);
    expectAllClose(path({ type, parameterisation, noiseSchedule }, network), expected, 1e-10);
  });

  test.each(flow)('on the flow schedule: $type, $parameterisation', ({ type, parameterisation }) => {
    const noiseSchedule = { type: 'flow' } as const;
    const network = bestVelocity(createScheduler({ type, parameterisation, noiseSchedule }));
    const expected = path({ type, parameterisation: 'flow', noiseSchedule }, network);
    expectAllClose(path({ type, parameterisation, noiseSchedule }, network), expected, 1e-10);
  });
});
