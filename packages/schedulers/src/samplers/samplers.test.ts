import { convertPrediction } from '../parameterisation.js';
import { createScheduler } from '../scheduler.js';
import { expectAllClose } from '../testing/expect-all-close.js';
import { initialState, updateSample } from '../update-sample.js';

const sample = Float64Array.of(0.5, -1.25, 2);
const prediction = Float64Array.of(-0.3, 0.8, 1.1);
const zeros = new Float64Array(3);

describe('DDIM', () => {
  /** Trailing spacing of 250 steps visits 999, 995 .. 3. */
  function step(timestep: number, eta = 0): { x0: Float64Array; previous: Float64Array; sigma: number } {
    const { noiseSchedule, plan } = createScheduler({ type: 'ddim', spacing: 'trailing', eta });
    const evaluation = plan(250).evaluations.find((each) => each.timestep === timestep)!;
    const after = updateSample({ evaluation, state: initialState(sample), prediction, noise: zeros });
    const level = noiseSchedule.level(timestep);
    expectAllClose(after.x0, convertPrediction({ from: 'epsilon', to: 'sample', level, sample, prediction }), 1e-15);
    return { x0: after.x0, previous: after.sample, sigma: evaluation.next.noise };
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
    const evaluation = createScheduler({ type: 'ddpm' }).plan(1000).evaluations[500];
    expect(evaluation.timestep).toBe(499);
    const mean = updateSample({ evaluation, state: initialState(sample), prediction, noise: zeros }).sample;
    expectAllClose(mean, [0.5021169683, -1.2555138601, 1.998281662], 1e-10);
    expect(evaluation.next.noise ** 2).toBeCloseTo(0.003136199904, 12);
  });

  test('equals DDIM at eta 1, clamped or not, over respaced steps', () => {
    for (const [type, clampSample] of [
      ['cosine', null],
      ['cosine', 1],
      ['flow', null],
    ] as const) {
      const objective = { parameterisation: 'v', noiseSchedule: { type } } as const;
      const ddpm = createScheduler({ type: 'ddpm', clampSample, ...objective }).plan(50);
      const ddim = createScheduler({ type: 'ddim', clampSample, ...objective, eta: 1 }).plan(50);
      for (const step of [0, 1, 25, 48, 49]) {
        const [a, b] = [ddpm, ddim].map(({ evaluations }) =>
          updateSample({
            ...{ evaluation: evaluations[step], state: initialState(sample), prediction },
            noise: Float64Array.of(1, -2, 0.5),
          }),
        );
        expectAllClose(a.sample, b.sample, 1e-10);
      }
    }
  });

  test('asks for noise where it needs it, and not in the last step', () => {
    const { evaluations } = createScheduler({ type: 'ddpm' }).plan(10);
    const state = initialState(sample);
    expect(() => updateSample({ evaluation: evaluations[8], state, prediction })).toThrow('SCHEDULER_NOISE_MISSING');
    const last = updateSample({ evaluation: evaluations[9], state, prediction });
    expect(last.sample.every(Number.isFinite)).toBe(true);
  });
});

describe('evaluations', () => {
  test('DPM-Solver++(2M) makes one per step, and remembers in all but the first and the last', () => {
    const { steps, evaluations } = createScheduler({ type: 'dpmpp_2m' }).plan(20);
    expect(steps).toBe(20);
    expect(evaluations.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(evaluations.map(({ next }) => next.earlierX0 !== 0)).toEqual(
      Array.from({ length: 20 }, (_, i) => i > 0 && i < 19),
    );
  });

  test('Heun makes two per step and one in the last, from the anchor of the first', () => {
    const { steps, evaluations } = createScheduler({ type: 'heun' }).plan(4);
    expect(steps).toBe(4);
    expect(evaluations.map(({ step }) => step)).toEqual([0, 0, 1, 1, 2, 2, 3]);
    expect(evaluations.map(({ timestep }) => timestep)).toEqual([999, 749, 749, 499, 499, 249, 249]);
    expect(evaluations.map(({ anchors }) => anchors)).toEqual([true, false, true, false, true, false, true]);
    expect(evaluations.map(({ next }) => next.anchor)).toEqual([0, 0.5, 0, 0.5, 0, 0.5, 0]);
  });
});
