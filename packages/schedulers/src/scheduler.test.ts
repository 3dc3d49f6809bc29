import fc from 'fast-check';
import { createScheduler } from './create-scheduler.js';
import { DdimScheduler } from './ddim.js';
import { DdpmScheduler } from './ddpm.js';
import { EulerScheduler } from './euler.js';
import { convertPrediction } from './parameterisation.js';
import type { Scheduler } from './scheduler.js';
import { shiftNoiseLevel, spacedTimesteps, type TimestepSpacing } from './spacing.js';

const sample = Float64Array.of(0.5, -1.25, 2);
const prediction = Float64Array.of(-0.3, 0.8, 1.1);
const zeros = new Float64Array(3);

function expectAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-9): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i] - expected[i])).toBeLessThanOrEqual(relative * Math.max(1, Math.abs(expected[i])));
  }
}

describe('spacing', () => {
  const ascending = (spacing: TimestepSpacing, steps: number) =>
    spacedTimesteps({ spacing, steps, trainTimesteps: 1000 }).reverse();

  test('250 of 1,000', () => {
    expect(ascending('leading', 250)).toEqual(Array.from({ length: 250 }, (_, k) => 4 * k));
    expect(ascending('trailing', 250)).toEqual(Array.from({ length: 250 }, (_, k) => 4 * k + 3));
    const even = ascending('even', 250);
    expect(even.slice(0, 8)).toEqual([0, 4, 8, 12, 16, 20, 24, 28]);
    expect(even.slice(-5)).toEqual([983, 987, 991, 995, 999]);
    expect(new Set(even).size).toBe(250);
  });

  test('halves round to even, as numpy does', () => {
    expect(spacedTimesteps({ spacing: 'trailing', steps: 16, trainTimesteps: 1000 }).slice(0, 4)).toEqual([
      999, 937, 874, 811,
    ]);
  });

  test('any number of steps gives distinct timesteps on the axis, noisiest first', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<TimestepSpacing>('leading', 'trailing', 'even'),
        fc.integer({ min: 1, max: 1000 }),
        (spacing, steps) => {
          const timesteps = spacedTimesteps({ spacing, steps, trainTimesteps: 1000 });
          expect(timesteps.length).toBe(steps);
          expect(timesteps.every((timestep, i) => i === 0 || timestep < timesteps[i - 1])).toBe(true);
          expect(timesteps[0]).toBeLessThan(1000);
          expect(timesteps[steps - 1]).toBeGreaterThanOrEqual(0);
        },
      ),
      { seed: 1 },
    );
  });

  test.each([0, 1001, 2.5, Number.NaN])('%p steps are refused', (steps) => {
    expect(() => spacedTimesteps({ spacing: 'even', steps, trainTimesteps: 1000 })).toThrow('SCHEDULER_STEPS_RANGE');
  });

  test('the time shift of BAGEL at 3', () => {
    const shifted = [1, 0.8, 0.6, 0.4, 0.2, 0].map((noise) => shiftNoiseLevel(noise, 3));
    expectAllClose(shifted, [1, 0.9230769231, 0.8181818182, 0.6666666667, 0.4285714286, 0], 1e-10);
  });
});

describe('DDIM', () => {
  /** Even spacing of 1,000 steps visits every timestep; leading spacing of 250 visits multiples of 4: 996 .. 0. */
  function step(timestep: number, eta = 0): { x0: Float64Array; previous: Float64Array; sigma: number } {
    const scheduler = new DdimScheduler({ spacing: 'trailing', eta });
    scheduler.setTimesteps(250);
    const stepIndex = scheduler.timesteps.indexOf(timestep);
    const level = scheduler.noiseSchedule.level(timestep);
    return {
      x0: convertPrediction({ from: 'epsilon', to: 'sample', level, sample, prediction }),
      previous: scheduler.step({ prediction, stepIndex, sample, noise: zeros }),
      sigma: scheduler.stepCoefficients(stepIndex).noise,
    };
  }

  test('499 to 495', () => {
    expectAllClose(step(499).x0, [1.0152175068, -2.5886632451, 1.73237403]);
    expectAllClose(step(499).previous, [0.5058074239, -1.2649621264, 2.0028256289], 1e-10);
    expect(step(499, 1).sigma).toBeCloseTo(0.11096293066845096, 14);
  });

  test('99 to 95, and 3 to the end', () => {
    expectAllClose(step(99).previous, [0.5024219367, -1.2563718604, 1.9951048886], 1e-10);
    expectAllClose(step(3).previous, [0.5042303908, -1.2612729463, 1.98486097]);
    expectAllClose(step(3).x0, [0.5042303908, -1.2612729463, 1.98486097]);
  });

  test('999 to 995, where x0 is ten thousand', () => {
    expectAllClose(step(999).x0, [16232.9357, -41596.89773, 18262.0527]);
    expectAllClose(step(999).previous, [100.8922766, -258.5052093, 114.9412834]);
  });
});

describe('DDPM', () => {
  test('mean at 499', () => {
    const scheduler = new DdpmScheduler();
    scheduler.setTimesteps(1000);
    const mean = scheduler.step({ prediction, stepIndex: 500, sample, noise: zeros });
    expect(scheduler.timesteps[500]).toBe(499);
    expectAllClose(mean, [0.5021169683, -1.2555138601, 1.998281662], 1e-10);
    expect(scheduler.stepCoefficients(500).noise ** 2).toBeCloseTo(0.003136199904, 12);
  });

  test('equals DDIM at eta 1, clamped or not, over respaced steps', () => {
    for (const clampSample of [null, 1]) {
      const ddpm = new DdpmScheduler({ clampSample, parameterisation: 'v' });
      const ddim = new DdimScheduler({ clampSample, parameterisation: 'v', eta: 1 });
      ddpm.setTimesteps(50);
      ddim.setTimesteps(50);
      for (const stepIndex of [0, 1, 25, 48, 49]) {
        const options = { prediction, stepIndex, sample, noise: Float64Array.of(1, -2, 0.5) };
        expectAllClose(ddpm.step(options), ddim.step(options), 1e-10);
      }
    }
  });

  test('asks for noise where it needs it, and not in the last step', () => {
    const scheduler = new DdpmScheduler();
    scheduler.setTimesteps(10);
    expect(() => scheduler.step({ prediction, stepIndex: 8, sample })).toThrow('SCHEDULER_NOISE_MISSING');
    expect(scheduler.step({ prediction, stepIndex: 9, sample }).every(Number.isFinite)).toBe(true);
  });
});

describe('the whole sampler on N(2, 0.5), whose best prediction is known', () => {
  const mu = 2;
  const sigma = 0.5;
  const starts = Float64Array.of(-1, 0, 1);

  function sampleDdim(scheduler: Scheduler, steps: number): Float64Array {
    scheduler.setTimesteps(steps);
    return scheduler.timesteps.reduce((x, timestep, stepIndex) => {
      const { signal } = scheduler.noiseSchedule.level(timestep);
      const variance = signal ** 2 * sigma ** 2 + 1 - signal ** 2;
      const epsilon = x.map((value) => (Math.sqrt(1 - signal ** 2) * (value - signal * mu)) / variance);
      return scheduler.step({ prediction: epsilon, stepIndex, sample: x });
    }, starts);
  }

  test.each<[number, TimestepSpacing, number[]]>([
    [1000, 'even', [1.5007615009, 1.9999507974, 2.4991400939]],
    [250, 'even', [1.5030719081, 1.9999510251, 2.4968301421]],
    [250, 'leading', [1.4984578488, 1.9953536906, 2.4922495324]],
    [250, 'trailing', [1.5031388953, 1.9999510317, 2.496763168]],
    [50, 'even', [1.5154144323, 1.9999522415, 2.4844900507]],
  ])('DDIM, %i steps, %s', (steps, spacing, expected) => {
    expectAllClose(sampleDdim(new DdimScheduler({ spacing }), steps), expected, 1e-10);
  });

  test('DDIM tends to the exact map of the differential equation', () => {
    const exact = [1.499950717, 1.9999507175, 2.4999507179];
    const error = (steps: number) => {
      const scheduler = new DdimScheduler({ noiseSchedule: { type: 'cosine' } });
      return Math.max(...sampleDdim(scheduler, steps).map((value, i) => Math.abs(value - exact[i])));
    };
    const ratio = error(250) / error(500);
    expect(error(1000)).toBeLessThan(1e-3);
    expect(ratio).toBeGreaterThan(1.8);
    expect(ratio).toBeLessThan(2.2);
  });

  function sampleEuler(steps: number): Float64Array {
    const scheduler = new EulerScheduler();
    scheduler.setTimesteps(steps);
    return scheduler.timesteps.reduce((x, timestep, stepIndex) => {
      const { signal: t, noise } = scheduler.noiseSchedule.level(timestep);
      const variance = t * t * sigma * sigma + noise * noise;
      const velocity = x.map((value) => mu + ((t * sigma * sigma - noise) * (value - t * mu)) / variance);
      return scheduler.step({ prediction: velocity, stepIndex, sample: x });
    }, starts);
  }

  test('Euler on the flow, 16 and 50 steps', () => {
    expect(sampleEuler(16)[0]).toBeCloseTo(1.5443169066, 9);
    expect(sampleEuler(50)[0]).toBeCloseTo(1.5146032617, 9);
  });

  test('Euler is of first order', () => {
    const error = (steps: number) => Math.abs(sampleEuler(steps)[0] - 1.5);
    expect(error(100) / error(200)).toBeCloseTo(2, 1);
  });

  test('DDPM samples have the mean and the variance of the target', () => {
    const scheduler = new DdpmScheduler();
    scheduler.setTimesteps(250);
    const count = 4000;
    let state = 1;
    const uniform = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const gaussian = () =>
      Float64Array.from(
        { length: count },
        () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
      );
    const samples = scheduler.timesteps.reduce((x, timestep, stepIndex) => {
      const { signal, noise } = scheduler.noiseSchedule.level(timestep);
      const variance = signal ** 2 * sigma ** 2 + noise ** 2;
      const epsilon = x.map((value) => (noise * (value - signal * mu)) / variance);
      return scheduler.step({ prediction: epsilon, stepIndex, sample: x, noise: gaussian() });
    }, gaussian());
    const mean = samples.reduce((total, value) => total + value, 0) / count;
    const deviation = Math.sqrt(samples.reduce((total, value) => total + (value - mean) ** 2, 0) / count);
    // Four standard errors of the mean and of the deviation, and the bias of 250 steps.
    expect(Math.abs(mean - mu)).toBeLessThan((4 * sigma) / Math.sqrt(count));
    expect(Math.abs(deviation - sigma)).toBeLessThan((4 * sigma) / Math.sqrt(2 * count) + 0.01);
  });
});

describe('the contract', () => {
  const schedulers = [
    new DdpmScheduler({ parameterisation: 'sample', spacing: 'even', clampSample: 2 }),
    new DdimScheduler({ eta: 0.5, noiseSchedule: { type: 'cosine', trainTimesteps: 100, offset: 0.01 } }),
    new EulerScheduler({ shift: 3, parameterisation: 'v' }),
  ];

  test.each(schedulers)('a configuration round-trips through JSON: $config.type', (scheduler) => {
    const json = JSON.parse(JSON.stringify(scheduler.config));
    const again = (scheduler.constructor as typeof DdimScheduler).fromConfig(json);
    expect(again.config).toEqual(json);
    expect(createScheduler(json).config).toEqual(json);
    again.setTimesteps(7);
    scheduler.setTimesteps(7);
    expect(again.timesteps).toEqual(scheduler.timesteps);
    expect(again.x0StepCoefficients(3)).toEqual(scheduler.x0StepCoefficients(3));
  });

  test('a step is the combination that stepCoefficients gives', () => {
    for (const scheduler of [new DdimScheduler({ eta: 0.3 }), new DdpmScheduler(), new EulerScheduler()]) {
      scheduler.setTimesteps(20);
      for (let stepIndex = 0; stepIndex < 20; stepIndex++) {
        const c = scheduler.stepCoefficients(stepIndex);
        const noise = Float64Array.of(0.1, -1, 2);
        const expected = sample.map((x, i) => c.sample * x + c.prediction * prediction[i] + c.noise * noise[i]);
        expectAllClose(scheduler.step({ prediction, stepIndex, sample, noise }), expected, 1e-9);
      }
    }
  });

  test('clampSample bounds x0, and then the step is not linear', () => {
    const scheduler = new DdimScheduler({ clampSample: 1 });
    scheduler.setTimesteps(250);
    const [first] = scheduler.step({ prediction, stepIndex: 249, sample: Float64Array.of(9, 9, 9) });
    expect(first).toBe(1);
    expect(() => scheduler.stepCoefficients(0)).toThrow('SCHEDULER_NOT_LINEAR');
    expect(scheduler.x0StepCoefficients(0).clamp).toBe(1);
    expect(scheduler.step({ prediction, stepIndex: 0, sample }).every((value) => Math.abs(value) < 3)).toBe(true);
  });

  test('Float32Array in, Float32Array out, rounded once', () => {
    const scheduler = new DdimScheduler();
    scheduler.setTimesteps(250);
    const exact = scheduler.step({ prediction, stepIndex: 0, sample });
    const rounded = scheduler.step({
      prediction: Float64Array.from(prediction),
      stepIndex: 0,
      sample: Float32Array.from(sample),
    });
    expect(rounded).toBeInstanceOf(Float32Array);
    expect([...rounded]).toEqual([...Float32Array.from(exact)]);
  });

  test('addNoise is what training does', () => {
    const noised = new DdimScheduler().addNoise({
      sample: Float64Array.of(0.2, -0.7),
      noise: Float64Array.of(1, -0.5),
      timestep: 499,
    });
    expectAllClose(noised, [0.8519947136, -0.8476413922], 1e-10);
  });

  test('Euler visits the shifted noise levels on the training axis', () => {
    const scheduler = new EulerScheduler({ shift: 3 });
    scheduler.setTimesteps(5);
    expectAllClose(scheduler.timesteps, [999, 922.0769230769, 817.1818181818, 665.6666666667, 427.5714285714], 1e-10);
  });
});

describe('bad input', () => {
  const scheduler = new DdimScheduler();

  test('an unknown key is refused with the nearest known name', () => {
    expect(() => DdimScheduler.fromConfig({ Spacings: 'even' })).toThrow(
      /Spacings: unknown key; did you mean "spacing"\?/,
    );
    expect(() => DdimScheduler.fromConfig({ noiseSchedule: { type: 'cosine', ofset: 1 } })).toThrow(
      /noiseSchedule\.ofset: unknown key; did you mean "noiseSchedule\.offset"\?/,
    );
  });

  test.each<[string, unknown]>([
    ['eta is out of range', { eta: 2 }],
    ['type is of another scheduler', { type: 'ddpm' }],
    ['parameterisation is unknown', { parameterisation: 'eps' }],
    ['not an object', 'ddim'],
    ['a flow schedule', { noiseSchedule: { type: 'flow' } }],
    ['a flow objective', { parameterisation: 'flow' }],
  ])('DDIM refuses a configuration where %s', (_, config) => {
    expect(() => DdimScheduler.fromConfig(config)).toThrow('SCHEDULER_CONFIG_INVALID');
  });

  test.each<[string, unknown]>([
    ['epsilon', { parameterisation: 'epsilon' }],
    ['the cosine schedule', { noiseSchedule: { type: 'cosine' } }],
  ])('Euler refuses %s', (_, config) => {
    expect(() => EulerScheduler.fromConfig(config)).toThrow('SCHEDULER_CONFIG_INVALID');
  });

  test('a step before setTimesteps, beyond the last, or with arrays that disagree', () => {
    expect(() => scheduler.step({ prediction, stepIndex: 0, sample })).toThrow(/call setTimesteps/);
    const ready = new DdimScheduler();
    ready.setTimesteps(4);
    expect(() => ready.step({ prediction, stepIndex: 4, sample })).toThrow('SCHEDULER_STEP_INDEX');
    expect(() => ready.step({ prediction: Float32Array.of(1), stepIndex: 0, sample })).toThrow(
      /sample has 3 values, prediction has 1/,
    );
  });
});
