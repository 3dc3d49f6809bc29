/** @file What a training run does by default and feeds to the model, against sections 3 and 4 of the paper. */
import { fittedLearningRate } from '../learning-rate.js';
import { syntheticRun } from '../testing/synthetic-run.js';
import { transfusionTrainingConfig } from './config.js';

const [BOS, BOI, EOI] = [59, 61, 62];

test('the defaults are the paper’s', () => {
  const config = transfusionTrainingConfig();
  expect(config.lambda).toBe(5);
  expect(config.optimizer).toEqual({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradientNorm: 1 });
  // Of a run as long as the paper's.
  expect(fittedLearningRate({ ...config, steps: 250_000 })).toEqual({
    type: 'cosine',
    learningRate: 3e-4,
    finalLearningRate: 1.5e-5,
    warmupSteps: 4000,
    totalSteps: 250_000,
    decaySteps: 50_000,
  });
  expect(config.data).toMatchObject({ imageFirstProbability: 0.2, imageFirstCap: 500, imageContext: 'noised' });
});

describe('batches of a run', () => {
  const run = syntheticRun({ batch: { rows: 8 } });
  const { rows, sequenceLength: length } = run.sizes.batch;
  const patchesPerImage = 4;
  const batches = Array.from({ length: 150 }, (_, step) => run.batches.step(step)[0]);
  const rowsOf = batches.flatMap((batch) =>
    Array.from({ length: rows }, (_, row) => {
      const part = (array: ArrayLike<number>) => Array.from(array).slice(row * length, (row + 1) * length);
      return {
        tokens: part(batch.tokens),
        targets: part(batch.targets),
        begin: part(batch.begin),
        end: part(batch.end),
        timestep: batch.groups[0].timesteps[row],
        coefficients: Array.from(batch.groups[0].noiseCoefficients).slice(4 * row, 4 * row + 4),
      };
    }),
  );
  const isImageFirst = (tokens: number[]) => tokens[1] === BOI && tokens[2 + patchesPerImage + 1] < 59;

  test('one document in five has its image first', () => {
    const share = rowsOf.filter(({ tokens }) => isImageFirst(tokens)).length / rowsOf.length;
    expect(Math.abs(share - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / rowsOf.length));
  });

  test('their noise stops at t = 500; that of the others reaches t = 1000', () => {
    // Index i of the schedule is the paper's t = i + 1.
    const latest = (imageFirst: boolean) =>
      Math.max(...rowsOf.filter(({ tokens }) => isImageFirst(tokens) === imageFirst).map(({ timestep }) => timestep));
    expect(latest(true)).toBeLessThanOrEqual(499);
    expect(latest(true)).toBeGreaterThan(470);
    expect(latest(false)).toBeLessThanOrEqual(999);
    expect(latest(false)).toBeGreaterThan(985);
  });

  test('no target where the input is BOI or a patch; BOI is a target; EOI predicts what follows', () => {
    for (const { tokens, targets } of rowsOf) {
      expect(tokens[0]).toBe(BOS);
      const boi = tokens.indexOf(BOI);
      for (let i = boi; i <= boi + patchesPerImage; i++) expect(targets[i]).toBe(-1);
      expect(targets[boi - 1]).toBe(BOI);
      const eoi = boi + patchesPerImage + 1;
      expect(tokens[eoi]).toBe(EOI);
      expect(targets[eoi]).toBe(tokens[eoi + 1]);
      // EOI is never a target: the decoder appends it.
      expect(targets).not.toContain(EOI);
    }
  });

  test('patches see their image and what is before it, text sees what is before it', () => {
    for (const { tokens, begin, end } of rowsOf) {
      const boi = tokens.indexOf(BOI);
      const last = boi + patchesPerImage + 1;
      for (let i = 0; i <= last; i++) {
        const isPatch = i > boi && i < last;
        expect([begin[i], end[i]]).toEqual([0, isPatch ? last : i + 1]);
      }
    }
  });

  test('images are noised by the cosine schedule, and the noise is the target', () => {
    for (const { timestep, coefficients } of rowsOf) {
      const [signal, noise, targetSignal, targetNoise] = coefficients;
      expect(signal ** 2 + noise ** 2).toBeCloseTo(1, 6);
      // Largely sqrt(abar) ~ cos(t / T pi / 2), with an offset of 0.008.
      const angle = (((timestep + 1) / 1000 + 0.008) / 1.008) * (Math.PI / 2);
      expect(signal).toBeCloseTo(Math.cos(angle) / Math.cos((0.008 / 1.008) * (Math.PI / 2)), 4);
      expect([targetSignal, targetNoise]).toEqual([0, 1]);
    }
  });

  test('a tenth of the other captions is dropped, for guidance', () => {
    const others = rowsOf.filter(({ tokens }) => !isImageFirst(tokens));
    const dropped = others.filter(({ tokens }) => tokens[1] === BOI).length / others.length;
    expect(Math.abs(dropped - 0.1)).toBeLessThan(4 * Math.sqrt((0.1 * 0.9) / others.length));
  });
});
