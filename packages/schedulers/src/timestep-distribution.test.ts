import fc from 'fast-check';
import { createNoiseSchedule } from './noise-schedule.js';
import { shiftNoiseLevel } from './spacing.js';
import { noiseFractionCdf, timestepDistributionSchema, timestepQuantile } from './timestep-distribution.js';

const TIMESTEPS = 1000;
const parse = (given: object) => timestepDistributionSchema.parse(given);
const quantileOf = (given: object, timesteps = TIMESTEPS) => timestepQuantile(parse(given), timesteps);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Published quantiles of the standard normal. */
const NORMAL = [
  [0.025, -1.959963984540054],
  [0.05, -1.6448536269514722],
  [0.1, -1.2815515655446004],
  [0.25, -0.6744897501960817],
  [0.5, 0],
  [0.75, 0.6744897501960817],
  [0.9, 1.2815515655446004],
  [0.95, 1.6448536269514722],
  [0.975, 1.959963984540054],
];

/** The fraction of a quantile's timestep holds the fraction that is wanted: it is the least one not below it. */
function expectQuantile(timestep: number, fraction: number): void {
  expect(timestep / TIMESTEPS).toBeLessThanOrEqual(fraction + 1e-9);
  expect((timestep + 1) / TIMESTEPS).toBeGreaterThanOrEqual(fraction - 1e-9);
}

test('the default is uniform, to the bit', () => {
  const quantile = quantileOf({});
  const uniform = fc.integer({ min: 0, max: 2 ** 24 - 1 }).map((word) => word * 2 ** -24);
  fc.assert(
    fc.property(uniform, fc.integer({ min: 1, max: TIMESTEPS }), (u, limit) => {
      expect(quantile(u, limit)).toBe(Math.floor(u * limit));
    }),
    { seed: 1 },
  );
});

describe('logit-normal', () => {
  test.each([
    [0, 1],
    [0.8, 0.8],
    [-1.5, 0.3],
  ])('of mean %d and deviation %d: noise fractions at published quantiles', (mean, std) => {
    const quantile = quantileOf({ distribution: 'logit-normal', mean, std });
    for (const [u, z] of NORMAL) expectQuantile(quantile(u, TIMESTEPS), sigmoid(mean + std * z));
  });

  test('JiT has time run from noise to image: its mean of -0.8 is ours of 0.8', () => {
    const { level } = createNoiseSchedule({ type: 'flow' });
    const quantile = quantileOf({ distribution: 'logit-normal', mean: 0.8, std: 0.8 });
    for (const [u, z] of NORMAL) {
      const { signal, noise } = level(quantile(u, TIMESTEPS));
      // Its t is the signal on the straight line, and its low quantiles are our high ones.
      expect(Math.abs(signal - sigmoid(-0.8 - 0.8 * z))).toBeLessThanOrEqual(1 / TIMESTEPS);
      expect(noise).toBeCloseTo(1 - signal, 12);
    }
    const median = level(quantile(0.5, TIMESTEPS));
    expect(median.noise).toBeGreaterThan(0.68);
  });

  test('on the cosine schedule the fraction is that of the schedule', () => {
    const { level } = createNoiseSchedule({ type: 'cosine' });
    const median = level(quantileOf({ distribution: 'logit-normal', mean: 0.8 })(0.5, TIMESTEPS));
    expect(median.noise).toBeCloseTo(Math.sin((sigmoid(0.8) * Math.PI) / 2), 2);
  });

  test('its density is equation 19 of SD3', () => {
    const [mean, std] = [0.4, 0.7];
    const distribution = parse({ distribution: 'logit-normal', mean, std });
    for (const t of [0.03, 0.2, 0.5, 0.77, 0.98]) {
      const h = 1e-6;
      const slope = (noiseFractionCdf(distribution, t + h) - noiseFractionCdf(distribution, t - h)) / (2 * h);
      const exponent = (Math.log(t / (1 - t)) - mean) ** 2 / (2 * std ** 2);
      const density = Math.exp(-exponent) / (std * Math.sqrt(2 * Math.PI) * t * (1 - t));
      expect(Math.abs(slope / density - 1)).toBeLessThan(1e-6);
    }
  });

  test('mean and deviation are 0 and 1 where they are not given', () => {
    const [short, long] = [{}, { mean: 0, std: 1, shift: 1 }].map((given) =>
      quantileOf({ distribution: 'logit-normal', ...given }),
    );
    for (const [u] of NORMAL) expect(short(u, TIMESTEPS)).toBe(long(u, TIMESTEPS));
  });
});

describe('a shift', () => {
  test.each([0.4, 3])('of %d moves fractions by equation 23 of SD3', (shift) => {
    const quantile = quantileOf({ shift });
    for (const [u] of NORMAL) expectQuantile(quantile(u, TIMESTEPS), shiftNoiseLevel(u, shift));
    const logitNormal = quantileOf({ distribution: 'logit-normal', mean: -0.3, std: 0.9, shift });
    for (const [u, z] of NORMAL) {
      expectQuantile(logitNormal(u, TIMESTEPS), shiftNoiseLevel(sigmoid(-0.3 + 0.9 * z), shift));
    }
  });

  test('of s adds ln s to the mean of the logit', () => {
    const shifted = parse({ distribution: 'logit-normal', mean: -0.3, std: 0.9, shift: 3 });
    const moved = parse({ distribution: 'logit-normal', mean: -0.3 + Math.log(3), std: 0.9 });
    for (const fraction of [0, 0.01, 0.3, 0.5, 0.9, 1]) {
      expect(noiseFractionCdf(shifted, fraction)).toBeCloseTo(noiseFractionCdf(moved, fraction), 14);
    }
  });
});

describe('a limit', () => {
  const evenly = (count: number) => Array.from({ length: count }, (_, i) => (i + 0.5) / count);

  test.each([
    [{ distribution: 'logit-normal', mean: 0.8, std: 0.8 }, 5],
    [{ distribution: 'logit-normal', mean: -1 }, 7],
    [{ shift: 3 }, 5],
    [{ shift: 0.5 }, 10],
  ])('leaves the timesteps below in proportion: %j below %i of 10', (given, limit) => {
    const [timesteps, draws] = [10, 200_000];
    const shares = (below: number) => {
      const quantile = quantileOf(given, timesteps);
      const counts = new Array<number>(timesteps).fill(0);
      for (const u of evenly(draws)) counts[quantile(u, below)] += 1 / draws;
      return counts;
    };
    const all = shares(timesteps);
    const mass = all.slice(0, limit).reduce((sum, share) => sum + share, 0);
    shares(limit).forEach((share, i) => {
      expect(Math.abs(share - (i < limit ? all[i] / mass : 0))).toBeLessThan(2 / draws / mass);
    });
    all.forEach((share, i) => {
      const mine = noiseFractionCdf(parse(given), (i + 1) / timesteps) - noiseFractionCdf(parse(given), i / timesteps);
      expect(Math.abs(share - mine)).toBeLessThan(2 / draws);
    });
  });

  test('what is drawn is on the axis, below the limit, and grows with both', () => {
    const given = fc.record({
      distribution: fc.constant('logit-normal'),
      mean: fc.double({ min: -50, max: 50, noNaN: true }),
      std: fc.double({ min: 1e-3, max: 20, noNaN: true }),
      shift: fc.double({ min: 1e-2, max: 100, noNaN: true }),
    });
    const below1 = fc.integer({ min: 0, max: 2 ** 24 - 1 }).map((word) => word * 2 ** -24);
    fc.assert(
      fc.property(given, below1, below1, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (...all) => {
        const [options, u, v, limit, other] = all;
        const quantile = quantileOf(options, 50);
        const timestep = quantile(u, limit);
        expect(Number.isInteger(timestep) && timestep >= 0 && timestep < limit).toBe(true);
        expect(quantile(Math.max(u, v), limit)).toBeGreaterThanOrEqual(timestep);
        expect(quantile(u, Math.max(limit, other))).toBeGreaterThanOrEqual(timestep);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('far below all noise it draws its highest timestep; above all noise nothing changes', () => {
    const high = quantileOf({ distribution: 'logit-normal', mean: 60, std: 0.5 });
    expect([high(0.3, 500), high(0.3, 1), high(0.3, 1000)]).toEqual([499, 0, 999]);
    const low = quantileOf({ distribution: 'logit-normal', mean: -60, std: 0.5 });
    expect([low(0.3, 500), low(0.99, 1000)]).toEqual([0, 0]);
  });
});

test('contradictions are refused, with what would fit', () => {
  const problems = (given: object) => {
    const { error } = timestepDistributionSchema.safeParse(given);
    return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  };
  expect(problems({ mean: 0.8, std: 1 })).toEqual([
    'mean: the uniform distribution has none: set distribution to logit-normal, or leave mean out',
    'std: the uniform distribution has none: set distribution to logit-normal, or leave std out',
  ]);
  for (const bad of [{ distribution: 'normal' }, { shift: 0 }, { distribution: 'logit-normal', std: 0 }, { sd: 1 }]) {
    expect(problems(bad)).toHaveLength(1);
  }
});
