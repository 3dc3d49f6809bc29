import { addNoise } from './noise-schedule.js';
import { createScheduler, type SchedulerOptions, schedulerNames, stepOptionsOf } from './scheduler.js';
import { expectAllClose } from './testing/expect-all-close.js';
import { initialState, updateSample } from './update-sample.js';

const sample = Float64Array.of(0.5, -1.25, 2);
const prediction = Float64Array.of(-0.3, 0.8, 1.1);

const configurations: SchedulerOptions[] = [
  { type: 'ddpm', parameterisation: 'sample', spacing: 'even', clampSample: 2 },
  { type: 'ddim', eta: 0.5, noiseSchedule: { type: 'cosine', trainTimesteps: 100, offset: 0.01 } },
  { type: 'dpmpp_2m', parameterisation: 'v', clampSample: 1 },
  { type: 'euler', shift: 3, parameterisation: 'v' },
  { type: 'heun', shift: 0.5 },
];

test.each(configurations)('a configuration round-trips through JSON: $type', (options) => {
  const { config, plan } = createScheduler(options);
  const json = JSON.parse(JSON.stringify(config));
  expect(json).toMatchObject(options);
  expect(createScheduler(json).config).toEqual(json);
  expect(createScheduler(json).plan(7)).toEqual(plan(7));
});

test.each(schedulerNames)('%s leads from the noisiest timestep to the clean image', (type) => {
  const { steps, evaluations } = createScheduler({ type, parameterisation: 'v' }).plan(9);
  expect(steps).toBe(9);
  expect(evaluations.map(({ step }) => step).filter((step, i, all) => step !== all[i - 1])).toEqual(
    Array.from({ length: 9 }, (_, i) => i),
  );
  expect(evaluations[0].timestep).toBe(999);
  const { next } = evaluations.at(-1)!;
  // Nothing is left but the estimate of x0.
  expectAllClose([next.sample, next.x0, next.earlierX0, next.anchor, next.noise], [0, 1, 0, 0, 0], 1e-15);
});

test('each takes its own options', () => {
  expect(Object.fromEntries(schedulerNames.map((name) => [name, stepOptionsOf(name)]))).toEqual({
    ddim: ['spacing', 'eta'],
    ddpm: ['spacing'],
    dpmpp_2m: ['spacing'],
    euler: ['shift'],
    heun: ['shift'],
  });
});

describe('an update', () => {
  test('clampSample bounds x0', () => {
    const { evaluations } = createScheduler({ type: 'ddim', clampSample: 1 }).plan(250);
    const state = initialState(Float64Array.of(9, 9, 9));
    const last = updateSample({ evaluation: evaluations[249], state, prediction });
    expect(last.sample[0]).toBe(1);
    const first = updateSample({ evaluation: evaluations[0], state: initialState(sample), prediction });
    expect([...first.x0]).toEqual([1, -1, 1]);
    expect(first.sample.every((value) => Math.abs(value) < 3)).toBe(true);
  });

  test('Float32Array in, Float32Array out, rounded once', () => {
    const [evaluation] = createScheduler({ type: 'ddim' }).plan(250).evaluations;
    const exact = updateSample({ evaluation, state: initialState(sample), prediction });
    const rounded = updateSample({ evaluation, state: initialState(Float32Array.from(sample)), prediction });
    for (const key of ['sample', 'x0', 'anchor'] as const) {
      expect(rounded[key]).toBeInstanceOf(Float32Array);
      expect([...rounded[key]]).toEqual([...Float32Array.from(exact[key])]);
    }
  });

  test('arrays that disagree are refused', () => {
    const [evaluation] = createScheduler({ type: 'ddim' }).plan(4).evaluations;
    const state = initialState(sample);
    expect(() => updateSample({ evaluation, state, prediction: Float32Array.of(1) })).toThrow(
      /sample has 3 values, prediction has 1/,
    );
    expect(() => updateSample({ evaluation, state, prediction, noise: Float32Array.of(1) })).toThrow(
      /sample has 3 values, noise has 1/,
    );
  });

  test('addNoise is what training does', () => {
    const noised = addNoise({
      noiseSchedule: createScheduler({ type: 'ddim' }).noiseSchedule,
      sample: Float64Array.of(0.2, -0.7),
      noise: Float64Array.of(1, -0.5),
      timestep: 499,
    });
    expectAllClose(noised, [0.8519947136, -0.8476413922], 1e-10);
  });
});

describe('bad input', () => {
  const create = (config: unknown) => createScheduler(config as SchedulerOptions);

  test('an unknown key is refused with the nearest known name', () => {
    expect(() => create({ type: 'ddim', Spacings: 'even' })).toThrow(/Spacings: unknown key; did you mean "spacing"\?/);
    expect(() => create({ type: 'ddim', noiseSchedule: { type: 'cosine', ofset: 1 } })).toThrow(
      /noiseSchedule\.ofset: unknown key; did you mean "noiseSchedule\.offset"\?/,
    );
  });

  test.each<[string, unknown]>([
    ['eta is out of range', { type: 'ddim', eta: 2 }],
    ['eta is of another sampler', { type: 'ddpm', eta: 0.5 }],
    ['type is unknown', { type: 'ddx' }],
    ['type is missing', {}],
    ['parameterisation is unknown', { type: 'ddim', parameterisation: 'eps' }],
    ['not an object', 'ddim'],
    ['epsilon for DDIM on the flow schedule', { type: 'ddim', noiseSchedule: { type: 'flow' } }],
    ['epsilon for Euler', { type: 'euler', parameterisation: 'epsilon' }],
    ['the cosine schedule for Euler', { type: 'euler', noiseSchedule: { type: 'cosine' } }],
    ['the cosine schedule for Heun', { type: 'heun', noiseSchedule: { type: 'cosine' } }],
  ])('a configuration is refused: %s', (_, config) => {
    expect(() => create(config)).toThrow('SCHEDULER_CONFIG_INVALID');
  });

  test('the fix names the samplers that would do', () => {
    const onCosine = { type: 'euler', noiseSchedule: { type: 'cosine' } };
    expect(() => create(onCosine)).toThrow(/euler is defined on the flow schedule.*\n.*fix: use ddim, ddpm, dpmpp_2m$/);
  });

  test('the schedule follows from what is predicted, where the sampler is defined on it', () => {
    const scheduleOf = (config: unknown) => create(config).noiseSchedule.config.type;
    expect(scheduleOf({ type: 'ddim' })).toBe('cosine');
    expect(scheduleOf({ type: 'ddim', parameterisation: 'flow' })).toBe('flow');
    expect(scheduleOf({ type: 'euler', parameterisation: 'v' })).toBe('flow');
  });

  test('too many steps, too few', () => {
    expect(() => create({ type: 'ddim' }).plan(1001)).toThrow('SCHEDULER_STEPS_RANGE');
    expect(() => create({ type: 'heun' }).plan(0)).toThrow('SCHEDULER_STEPS_RANGE');
  });
});
