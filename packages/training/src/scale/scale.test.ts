/** Each figure is worked by hand, or is a published one. */
import fc from 'fast-check';
import { keptSums } from '../ranks/tree-sum.js';
import { dilocoCost } from './diloco.js';
import { bucketLoads, exchangeHostBytes, exchangeSeconds, stepTraffic } from './exchange.js';
import { rankMemories } from './rank-memory.js';
import { type Machine, stepTime } from './step-time.js';

const equal = (count: number, elements: number) =>
  new Map(Array.from({ length: count }, (_, i) => [`t${i}`, elements]));
const machine = (changes: Partial<Machine>): Machine => ({
  flopsPerSecond: 1e12,
  linkBytesPerSecond: 1e9,
  hostBytesPerSecond: 1e15,
  latencySeconds: 0,
  ...changes,
});

describe('memory', () => {
  test('7B: moments and averages take 84 GB, 10.5 GB on each of 8 ranks', () => {
    const tensors = equal(80, 7e9 / 80);
    const memories = rankMemories({ tensors, ranks: 8, microBatches: 1, arenaBytes: 3e9, averages: 'owners' });
    for (const { momentBytes, averageBytes } of memories) expect(momentBytes + averageBytes).toBe(10.5e9);
    // Parameters, gradients, a share of 84 GB, scratch.
    expect(memories[5].totalBytes).toBe(28e9 + 28e9 + 10.5e9 + 3e9);
    const [alone] = rankMemories({ tensors, ranks: 1, microBatches: 2, arenaBytes: 0 });
    expect(alone.momentBytes + alone.averageBytes).toBe(84e9);
  });

  test('the first rank has all averages, unless owners alone have them', () => {
    const memories = rankMemories({ tensors: equal(4, 10), ranks: 4, microBatches: 1, arenaBytes: 0 });
    expect(memories.map(({ averageBytes }) => averageBytes)).toEqual([160, 40, 40, 40]);
  });

  test('a tree of micro-batches keeps a sum for each halving, down to two or an odd number', () => {
    expect([1, 2, 3, 4, 6, 8, 12, 512].map(keptSums)).toEqual([0, 0, 0, 1, 1, 2, 2, 8]);
    const [rank] = rankMemories({ tensors: equal(1, 100), ranks: 1, microBatches: 8, arenaBytes: 0 });
    expect(rank.gradientBytes).toBe(3 * 400);
  });
});

describe('what travels', () => {
  test('equal loads: bytes (R - 1) / R each way, of gradients and of parameters', () => {
    const traffic = stepTraffic({ tensors: equal(8, 1000), ranks: 8, gradientBytes: 4 });
    const bytes = (32_000 * 7) / 8;
    expect(traffic).toEqual({
      gradients: { sentBytes: bytes, receivedBytes: bytes },
      parameters: { sentBytes: bytes, receivedBytes: bytes },
    });
  });

  test('a tensor that is larger than the share of a rank makes its owner the slowest', () => {
    // 6 of 9 belong to one rank, which gets a copy of them from the other two.
    const tensors = new Map(Object.entries({ embedding: 6, a: 2, b: 1 }));
    const { gradients, parameters } = stepTraffic({ tensors, ranks: 3, gradientBytes: 2 });
    expect(gradients).toEqual({ sentBytes: 2 * 8, receivedBytes: 2 * 12 });
    // Parameters are f32 whatever gradients are.
    expect(parameters).toEqual({ sentBytes: 4 * 12, receivedBytes: 4 * 8 });
  });

  test('every rank sends to all others at once, however many buckets there are', () => {
    // R ranks own a tensor each, and a bucket has an eighth of each of them.
    const options = { tensors: equal(8, 1000), ranks: 8, bytesPerElement: 4 as const, bucketElements: 1000 };
    const link = { linkBytesPerSecond: 1000, latencySeconds: 0 };
    expect(exchangeSeconds(options, link)).toBeCloseTo((7 * 4000) / 1000);
    expect(exchangeHostBytes(options)).toEqual({ bytes: 4 * (2 * 1000 + 8 * 125), elementsReceived: 1000 });
  });

  test('buckets have every element once', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), (list, ranks) => {
        const tensors = new Map(list.map((elements, i) => [`t${i}`, elements]));
        const loads = bucketLoads({ tensors, ranks, bucketElements: 100 });
        const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
        expect(sum(loads.map(sum))).toBe(sum(list));
      }),
    );
  });

  test('DiLoCo sends 1/H as much', () => {
    const tensors = equal(10, 1e6);
    const shared = { tensors, ranks: 8, gradientBytes: 4 as const, linkBytesPerSecond: 1e9 };
    const { gradients, parameters } = stepTraffic({ ...shared, tensors: equal(8, 10e6 / 8) });
    const cost = dilocoCost({ ...shared, innerSteps: 500, microBatches: 1, arenaBytes: 7 });
    expect(cost.bytesPerStep * 500).toBeCloseTo(gradients.sentBytes + parameters.sentBytes);
    expect(cost.secondsPerStep).toBeCloseTo(cost.bytesPerStep / 1e9);
    // Parameters, m, v and the average of all, and nothing shared.
    expect(cost.deviceBytes).toBe(16 * 10e6 + 7);
  });
});

describe('time', () => {
  /** A model whose tensors any number of ranks up to 64 share evenly, at 6 FLOPs a parameter and token. */
  const exposed = (options: { ranks: number; tokens: number; flopsPerSecond: number; link: number; host?: number }) => {
    const tensors = equal(64, 1e6);
    const time = stepTime({
      ...{ tensors, ranks: options.ranks, gradientBytes: 4 },
      ...{ microBatches: 1, checkpointActivations: false, flops: 6 * 64e6 * options.tokens },
      machine: machine({
        flopsPerSecond: options.flopsPerSecond,
        linkBytesPerSecond: options.link,
        hostBytesPerSecond: options.host ?? 1e15,
      }),
    });
    return (time.stepSeconds - time.computeSeconds) / time.computeSeconds;
  };

  test('two CPUs of 72 GFLOP/s with 2,048 tokens each, over shared memory at 1.3 GB/s: 1.8 %', () => {
    // b F / (3 B T), and of it half between two: 4 * 72e9 / (3 * 1.3e9 * 2048) / 2.
    expect(exposed({ ranks: 2, tokens: 2048, flopsPerSecond: 72e9, link: 1.3e9 })).toBeCloseTo(0.018, 4);
  });

  test('b F / (3 B T) (R - 1) / R, whatever the model', () => {
    const settings = fc.record({
      ranks: fc.constantFrom(2, 4, 8, 16, 32, 64),
      tokens: fc.integer({ min: 100, max: 100_000 }),
      flopsPerSecond: fc.double({ min: 1e9, max: 1e15, noNaN: true }),
      link: fc.double({ min: 1e6, max: 1e12, noNaN: true }),
    });
    fc.assert(
      fc.property(settings, ({ ranks, tokens, flopsPerSecond, link }) => {
        const expected = ((4 * flopsPerSecond) / (3 * link * tokens)) * ((ranks - 1) / ranks);
        expect(exposed({ ranks, tokens, flopsPerSecond, link }) / expected).toBeCloseTo(1, 6);
      }),
    );
  });

  test('copies over PCIe at 25 GB/s are 1,067 / T of the compute at 20 TFLOP/s: 6.5 % at 16k tokens', () => {
    const share = exposed({ ranks: 8, tokens: 16_384, flopsPerSecond: 20e12, link: 1e15, host: 25e9 });
    expect(share * 16_384).toBeCloseTo(1067, 0);
    expect(share).toBeCloseTo(0.065, 3);
  });

  test('overlapped, what fits behind the last backward and the first forward pass is free', () => {
    const options = {
      ...{ tensors: equal(2, 1e6), ranks: 2, gradientBytes: 4 as const },
      ...{ microBatches: 3, flops: 3e9, checkpointActivations: false },
    };
    // 4 MB each way: 4 ms at 1 GB/s. A micro-batch is 1 ms forward and 2 ms backward at 1 TFLOP/s.
    const slow = stepTime({ ...options, machine: machine({}) });
    expect(slow.computeSeconds).toBeCloseTo(9e-3);
    expect(slow.stepSeconds).toBeCloseTo(17e-3);
    expect(slow.overlappedStepSeconds).toBeCloseTo(9e-3 + 2e-3 + 3e-3);
    const fast = stepTime({ ...options, machine: machine({ linkBytesPerSecond: 1e10 }) });
    expect(fast.overlappedStepSeconds).toBeCloseTo(9e-3);
    // Every one of a bucket's messages has its latency.
    const late = stepTime({ ...options, machine: machine({ latencySeconds: 1e-3, linkBytesPerSecond: 1e15 }) });
    expect(late.gradientSeconds).toBeCloseTo(1e-3);
  });
});
