import {
  diffusionConfigSchema,
  diffusionScheduler,
  samplingDefaultsSchema,
  samplingOptionsSchema,
  samplingProblems,
} from './diffusion-config.js';
import { createObjective } from './objective.js';
import { schedulerNames } from './scheduler.js';

const diffusion = diffusionConfigSchema.parse({});
const flow = diffusionConfigSchema.parse({ schedule: 'flow', parameterisation: 'flow' });
const sampling = samplingDefaultsSchema.parse({});

test('the defaults are the paper: epsilon on the cosine schedule, and 50 steps of DDIM that go together', () => {
  expect(diffusion).toEqual({
    trainTimesteps: 1000,
    schedule: 'cosine',
    parameterisation: 'epsilon',
    clampSample: 1.5,
  });
  expect(sampling).toEqual({ steps: 50, guidance: 3, scheduler: 'ddim' });
  expect(samplingProblems({ diffusion, sampling })).toEqual([]);
});

test('a sampler goes with a schedule where it can be made for it', () => {
  for (const config of [diffusion, flow]) {
    for (const scheduler of schedulerNames) {
      const goes = samplingProblems({ diffusion: config, sampling: { ...sampling, scheduler } }).length === 0;
      const make = () => diffusionScheduler(config, scheduler);
      if (goes) expect(make().config).toMatchObject({ type: scheduler, noiseSchedule: { type: config.schedule } });
      else expect(make).toThrow('SCHEDULER_CONFIG_INVALID');
    }
  }
});

test('what does not go together is named, with what would', () => {
  expect(samplingProblems({ diffusion: flow, sampling })).toEqual([]);
  expect(samplingProblems({ diffusion, sampling: { ...sampling, scheduler: 'heun' } })).toEqual([
    {
      path: ['sampling', 'scheduler'],
      message: 'heun is for the flow schedule; for the cosine schedule: ddim, ddpm, dpmpp_2m',
    },
  ]);
  const few = { diffusion: { ...diffusion, trainTimesteps: 20 }, sampling };
  expect(samplingProblems(few)).toEqual([
    { path: ['sampling', 'steps'], message: 'at most diffusion.trainTimesteps, 20' },
  ]);
  const epsilon = { diffusion: { ...flow, parameterisation: 'epsilon' }, sampling: { ...sampling, scheduler: 'heun' } };
  expect(samplingProblems(epsilon as never)).toEqual([
    { path: ['diffusion', 'parameterisation'], message: expect.stringMatching(/predict flow, v or sample/) },
  ]);
});

test('a guidance scale that would leave the range of f32 is refused', () => {
  for (const schema of [samplingDefaultsSchema, samplingOptionsSchema]) {
    for (const guidance of [-1000, 0, 1000]) expect(schema.parse({ guidance })).toMatchObject({ guidance });
    for (const guidance of [1e308, -1001]) {
      expect(() => schema.parse({ guidance })).toThrow(/expected a scale from -1000 to 1000/);
    }
  }
});

test('a sampler has the objective of training, and clamps as the model says', () => {
  const config = { ...diffusion, trainTimesteps: 100, parameterisation: 'v' as const };
  const scheduler = diffusionScheduler(config, 'ddim', { eta: 0.5 });
  expect(scheduler.config).toMatchObject({ clampSample: 1.5, eta: 0.5, spacing: 'trailing' });
  const { parameterisation, schedule, trainTimesteps } = config;
  const objective = createObjective({ parameterisation, noiseSchedule: { type: schedule, trainTimesteps } });
  expect(scheduler.config).toMatchObject(objective.config);
  expect(diffusionScheduler(config, 'ddpm', { eta: undefined }).config.type).toBe('ddpm');
  expect(() => diffusionScheduler(config, 'ddpm', { eta: 0.5 })).toThrow('SCHEDULER_CONFIG_INVALID');
});

test('options have no defaults, say who takes them, and are strict', () => {
  expect(samplingOptionsSchema.parse({})).toEqual({});
  expect(samplingOptionsSchema.shape.spacing.description).toMatch(/^ddim, ddpm, dpmpp_2m: trailing: /);
  expect(samplingOptionsSchema.shape.steps.description).toBe('denoising steps of an image');
  for (const bad of [
    { steps: 0 },
    { guidance: Number.NaN },
    { scheduler: 'ddx' },
    { eta: 2 },
    { shift: 0 },
    { stepz: 1 },
  ]) {
    expect(samplingOptionsSchema.safeParse(bad).success).toBe(false);
  }
});
