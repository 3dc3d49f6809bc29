import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cosineBetas, createNoiseSchedule, signalToNoiseRatio } from './noise-schedule.js';
import { posterior } from './samplers/ddpm.js';

interface Golden {
  cosine: Record<
    string,
    { beta: number; abar: number; sqrt_abar: number; sqrt_1m: number; snr: number; logsnr: number }
  >;
  cosine_sums: { sum_beta: number; sum_abar: number; sum_log_alpha: number };
}

const golden: Golden = JSON.parse(readFileSync(join(__dirname, 'fixtures/cosine.json'), 'utf8'));
const schedule = createNoiseSchedule({ type: 'cosine' });
const betas = cosineBetas({ trainTimesteps: 1000, offset: 0.008, maxBeta: 0.999 });
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

function expectClose(actual: number, expected: number, relative = 1e-11): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));
}

describe('cosine schedule', () => {
  test.each(Object.entries(golden.cosine))('timestep %s equals the numpy table', (timestep, expected) => {
    const level = schedule.level(Number(timestep));
    expectClose(betas[Number(timestep)], expected.beta);
    expectClose(level.signal ** 2, expected.abar);
    expectClose(level.signal, expected.sqrt_abar);
    expectClose(level.noise, expected.sqrt_1m);
    expectClose(signalToNoiseRatio(level), expected.snr);
    expectClose(Math.log(signalToNoiseRatio(level)), expected.logsnr);
  });

  // The published table, ten digits.
  test.each([
    [0, 4.128422482e-5, 0.9999587158, 0.9999793577, 0.006425280136],
    [1, 4.614175274e-5, 0.9999125759, 0.999956287, 0.009350084098],
    [9, 8.501117934e-5, 0.9993687184, 0.9996843094, 0.02512531788],
    [99, 5.269048089e-4, 0.9720927371, 0.9859476341, 0.1670546704],
    [249, 0.001321496637, 0.8470121613, 0.9203326362, 0.3911365985],
    [499, 0.00314588623, 0.4938435904, 0.7027400589, 0.7114467018],
    [749, 0.007545707742, 0.1442721024, 0.3798316764, 0.9250556187],
    [899, 0.01954417981, 0.02409172414, 0.1552150899, 0.9878806992],
    [989, 0.1735396701, 2.428572279e-4, 0.01558387718, 0.999878564],
    [998, 0.7499993929, 2.428766907e-6, 0.001558450162, 0.9999987856],
    [999, 0.999, 2.428766907e-9, 4.928252131e-5, 0.9999999988],
  ])('timestep %i equals the printed table', (timestep, beta, alphaBar, signal, noise) => {
    const level = schedule.level(timestep);
    expectClose(betas[timestep], beta, 1e-9);
    expectClose(level.signal ** 2, alphaBar, 1e-9);
    expectClose(level.signal, signal, 1e-9);
    expectClose(level.noise, noise, 1e-9);
  });

  test('checksums', () => {
    const { sum_beta, sum_abar, sum_log_alpha } = golden.cosine_sums;
    const alphaBars = Array.from({ length: 1000 }, (_, timestep) => schedule.level(timestep).signal ** 2);
    expectClose(sum(betas), sum_beta, 1e-13);
    expectClose(sum(alphaBars), sum_abar, 1e-13);
    expectClose(sum(betas.map((beta) => Math.log(1 - beta))), sum_log_alpha, 1e-13);
  });

  test.each([
    [1, 0.5277814093, 0.4722185904, 2.178949615e-5],
    [499, 0.004374588226, 0.9953516195, 0.003136199904],
    [999, 0.001556891715, 0.03162269987, 0.9989975761],
  ])('posterior at %i', (timestep, x0, sample, variance) => {
    const actual = posterior(schedule.level(timestep), schedule.level(timestep - 1));
    expectClose(actual.x0, x0, 1e-9);
    expectClose(actual.sample, sample, 1e-9);
    expectClose(actual.variance, variance, 1e-9);
  });

  test('the noise cap of the paper (t = 500) is almost exactly SNR 1', () => {
    expect(Math.abs(signalToNoiseRatio(schedule.level(499)) - 1)).toBeLessThan(0.03);
  });
});

describe('the timestep axis', () => {
  test('-1 is the clean image on both schedules, the last timestep is pure noise on flow', () => {
    expect(schedule.level(-1)).toEqual({ signal: 1, noise: 0 });
    const flow = createNoiseSchedule({ type: 'flow' });
    expect(flow.level(-1)).toEqual({ signal: 1, noise: 0 });
    expect(flow.level(999)).toEqual({ signal: 0, noise: 1 });
    expect(flow.level(499)).toEqual({ signal: 0.5, noise: 0.5 });
    expect(flow.level(936.5)).toEqual({ signal: 0.0625, noise: 0.9375 });
  });

  test.each([-2, 1000, Number.NaN, 3.5])('%p is refused on the cosine schedule', (timestep) => {
    expect(() => schedule.level(timestep)).toThrow('SCHEDULER_TIMESTEP_RANGE');
  });
});
