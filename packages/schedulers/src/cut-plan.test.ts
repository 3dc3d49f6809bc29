import { cutPlan } from './cut-plan.js';
import { addNoise } from './noise-schedule.js';
import { createScheduler, type SchedulerOptions } from './scheduler.js';
import { expectAllClose } from './testing/expect-all-close.js';
import { bestEpsilon, bestVelocity, gaussian } from './testing/run-plan.js';
import { initialState, updateSample } from './update-sample.js';

const samplers: SchedulerOptions[] = [
  { type: 'ddpm' },
  { type: 'ddim' },
  { type: 'dpmpp_2m' },
  { type: 'euler' },
  { type: 'heun' },
  { type: 'ddim', parameterisation: 'flow' },
  { type: 'dpmpp_2m', parameterisation: 'flow' },
];
const original = Float64Array.of(1.2, 2.1, 2.9);
const epsilon = Float64Array.of(0.4, -1.1, 0.7);

/** From an image by a share of the steps, with the best network for N(2, 0.5). */
function draw(options: SchedulerOptions, steps: number, strength: number): Float64Array {
  const scheduler = createScheduler(options);
  const { evaluations } = cutPlan(scheduler.plan(steps), strength);
  const network = scheduler.noiseSchedule.config.type === 'flow' ? bestVelocity(scheduler) : bestEpsilon(scheduler);
  const { noiseSchedule } = scheduler;
  const start = addNoise({ noiseSchedule, sample: original, noise: epsilon, timestep: evaluations[0].timestep });
  return evaluations.reduce((state, evaluation) => {
    const prediction = network(state.sample, evaluation.timestep);
    return updateSample({ evaluation, state, prediction, noise: epsilon });
  }, initialState(start)).sample;
}

describe('a plan without its beginning', () => {
  test.each(samplers)('has the share of the steps that diffusers takes: $type', (options) => {
    const plan = createScheduler(options).plan(50);
    for (const [strength, steps] of [
      [1, 50],
      [0.6, 30],
      [0.58, 29],
      [0.599, 29],
      [0.001, 1],
    ]) {
      const cut = cutPlan(plan, strength);
      expect(cut.steps).toBe(steps);
      expect(cut.evaluations.map(({ timestep }) => timestep)).toEqual(
        plan.evaluations.filter(({ step }) => step >= 50 - steps).map(({ timestep }) => timestep),
      );
      expect([cut.evaluations[0].step, cut.evaluations.at(-1)!.step]).toEqual([0, steps - 1]);
    }
    expect(cutPlan(plan, 1)).toBe(plan);
  });

  test('remembers nothing from before: the first step of DPM-Solver++(2M) is that of DDIM', () => {
    const [multistep, ddim] = ['dpmpp_2m' as const, 'ddim' as const].map((type) =>
      cutPlan(createScheduler({ type }).plan(20), 0.5),
    );
    const [first, second] = multistep.evaluations;
    expect(first.next.earlierX0).toBe(0);
    expect(second.next.earlierX0).not.toBe(0);
    expect(first.next.x0).toBeCloseTo(ddim.evaluations[0].next.x0, 12);
  });

  test.each([0, 1.1, -0.5, Number.NaN])('a strength of %d is refused', (strength) => {
    expect(() => cutPlan(createScheduler({ type: 'ddim' }).plan(10), strength)).toThrow(
      /SCHEDULER_STRENGTH_RANGE: strength is .*above 0, at most 1/s,
    );
  });
});

describe('an evaluation says where the sample is', () => {
  test.each(samplers)('from noise to the clean image, each from where the one before led: $type', (options) => {
    const scheduler = createScheduler(options);
    const { evaluations } = scheduler.plan(7);
    evaluations.forEach(({ timestep, from, to }, i) => {
      expect(from).toEqual(scheduler.noiseSchedule.level(timestep));
      expect(to).toEqual(evaluations[i + 1]?.from ?? { signal: 1, noise: 0 });
    });
  });

  test.each(samplers)('and it is there: noise and image of one line stay on it: $type', (options) => {
    // With eta 0 and the true prediction, which is known where x0 and epsilon are.
    if (options.type === 'ddpm') return;
    const { evaluations, noiseSchedule } = { ...createScheduler(options).plan(5), ...createScheduler(options) };
    const flow = noiseSchedule.config.type === 'flow';
    const prediction = flow ? original.map((value, i) => value - epsilon[i]) : epsilon;
    const at = ({ signal, noise }: { signal: number; noise: number }) =>
      original.map((value, i) => signal * value + noise * epsilon[i]);
    let state = initialState(at(evaluations[0].from));
    for (const evaluation of evaluations) {
      state = updateSample({ evaluation, state, prediction });
      expectAllClose(state.sample, at(evaluation.to), 1e-9);
    }
  });
});

describe('from an image of N(2, 0.5)', () => {
  test.each<[SchedulerOptions, number]>([
    [{ type: 'ddim' }, 5e-3],
    [{ type: 'dpmpp_2m' }, 5e-5],
    [{ type: 'euler' }, 3e-3],
    [{ type: 'heun' }, 2e-5],
    [{ type: 'dpmpp_2m', parameterisation: 'flow' }, 5e-4],
  ])('the way is that of the differential equation: $type', (options, tolerance) => {
    // Quantiles go to quantiles: x0 = mean + deviation (x - signal mean) / sqrt(signal^2 deviation^2 + noise^2).
    const { noiseSchedule, plan } = createScheduler(options);
    const { timestep } = cutPlan(plan(200), 0.6).evaluations[0];
    const { signal, noise } = noiseSchedule.level(timestep);
    const expected = [...original].map((value, i) => {
      const x = signal * value + noise * epsilon[i];
      return (
        gaussian.mean +
        (gaussian.deviation * (x - signal * gaussian.mean)) / Math.hypot(signal * gaussian.deviation, noise)
      );
    });
    expectAllClose(draw(options, 200, 0.6), expected, tolerance);
  });

  test.each(samplers)('a vanishing strength gives the image back: $type', (options) => {
    const moved = draw(options, 1000, 0.001).map((value, i) => Math.abs(value - original[i]));
    expect(Math.max(...moved)).toBeLessThan(0.01);
  });
});
