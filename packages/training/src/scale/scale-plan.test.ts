/** A run on ranks whose numbers are worked by hand; and what a real step needs. */
import { planRun } from '../plan-step.js';
import { syntheticRun } from '../testing/synthetic-run.js';
import { BINDING_LIMITS, unbindable } from './binding-limits.js';
import { rankMemories } from './rank-memory.js';
import { type ScaleOptions, scalePlan } from './scale-plan.js';
import { stepNeeds } from './step-needs.js';

/** Four tensors of 1,000 elements, 6 GFLOP a micro-batch of 100 positions. */
const options: ScaleOptions = {
  needs: {
    flops: 6e9,
    arenaBytes: 50_000,
    tensors: new Map(['a', 'b', 'c', 'd'].map((name) => [name, 1000])),
    buffers: [
      { name: 'matmul', bytes: 9000, kind: 'scratch', count: 2 },
      { name: 'a', bytes: 4000, kind: 'parameter', count: 1 },
    ],
  },
  checkpointActivations: false,
  microBatches: 16,
  tokensPerMicroBatch: 100,
  ranks: 4,
  machine: {
    flopsPerSecond: 1e9,
    linkBytesPerSecond: 1000,
    hostBytesPerSecond: 1e9,
    latencySeconds: 0,
    deviceBytes: 100_000,
    bindingBytes: 10_000,
    hostBytes: 1e6,
  },
  gradientBytes: 4,
  averages: 'first-rank',
  innerSteps: 10,
};

test('memory, time and traffic of a step', () => {
  const plan = scalePlan(options);
  // 16,000 of parameters, two sums of gradients (four micro-batches), 8,000 and 4,000 of what a rank owns.
  expect(plan.others?.totalBytes).toBe(16_000 + 32_000 + 8000 + 4000 + 50_000);
  expect(plan.first.totalBytes).toBe(16_000 + 32_000 + 8000 + 16_000 + 50_000);
  // Four micro-batches of 6 s, then 12,000 bytes at 1,000 a second out, and as many back.
  expect(plan.time).toMatchObject({ computeSeconds: 24, gradientSeconds: 12, parameterSeconds: 12, stepSeconds: 48 });
  expect(plan.tokensPerSecond).toBeCloseTo(1600 / 48);
  expect(plan.traffic.gradients).toEqual({ sentBytes: 12_000, receivedBytes: 12_000 });
  expect(plan.savingHostBytes).toBe(64_000);
});

test('what is over its limit comes first, with what would help', () => {
  const { pressures } = scalePlan(options);
  expect(pressures.map(({ what, share }) => [what, +share.toFixed(3)])).toEqual([
    ['device memory of the first rank', 1.22],
    ['device memory of another rank', 1.1],
    ['time in which ranks wait for the exchange, against compute', 1],
    ["the largest buffer to bind, scratch of 'matmul'", 0.9],
    ['host memory of the first rank while it saves', 0.064],
    ['host memory while gradients travel', 0.048],
    ['elements that a rank receives in one collective', 0],
  ]);
  expect(pressures[0].relief).toContain('sums of gradients are kept aside for 4 micro-batches');
  const relief = (changes: Partial<ScaleOptions>) =>
    scalePlan({ ...options, microBatches: 8, ...changes }).pressures.find(({ what }) => what.endsWith('the first rank'))
      ?.relief;
  expect(relief({})).toBe('blocks computed again (checkpointActivations), or fewer rows in a micro-batch');
  expect(relief({ checkpointActivations: true })).toBe('fewer rows in a micro-batch');
  const needs = { ...options.needs, arenaBytes: 10 };
  expect(relief({ needs })).toBe('averages on their owners alone');
  expect(relief({ needs, averages: 'owners' })).toContain('ZeRO-2');
});

test('one rank sends nothing and has no others', () => {
  const plan = scalePlan({ ...options, ranks: 1 });
  expect(plan.others).toBeUndefined();
  expect(plan.time.stepSeconds).toBe(plan.time.computeSeconds);
  expect(plan.exchangeHostBytes).toBe(0);
});

test('what a real micro-batch needs', async () => {
  const { objective, options: step, sizes } = syntheticRun();
  const needs = await stepNeeds(objective, step);
  const of = (name: string) => needs.buffers.find((buffer) => buffer.name === name && buffer.kind === 'parameter');
  const { vocabularySize, channels } = sizes.model;
  expect(of('languageHead')).toEqual({
    ...{ name: 'languageHead', bytes: 4 * vocabularySize * channels, kind: 'parameter', count: 1 },
  });
  // Six FLOPs a parameter and position, but for what is only looked up, or only used for images.
  const positions = sizes.batch.rows * sizes.batch.sequenceLength;
  const elements = [...needs.tensors.values()].reduce((sum, each) => sum + each, 0);
  expect(needs.flops / (6 * elements * positions)).toBeGreaterThan(0.5);
  expect(needs.flops / (6 * elements * positions)).toBeLessThan(1.5);
  const sorted = needs.buffers.map(({ bytes }) => bytes);
  expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
  expect(unbindable(needs.buffers, sorted[0] - 1)[0].bytes).toBe(sorted[0]);
  expect(unbindable(needs.buffers, BINDING_LIMITS[0])).toEqual([]);
});

test('is what ranks of a real run have, to the byte', async () => {
  const { objective, phases, options: step } = syntheticRun();
  const { tensors } = await stepNeeds(objective, step);
  for (const [size, accumulation] of [
    [4, 4],
    [4, 32],
    [2, 6],
  ]) {
    const memories = rankMemories({ tensors, ranks: size, microBatches: accumulation / size, arenaBytes: 0 });
    for (const { rank, totalBytes } of memories) {
      const plan = await planRun(phases, { ...step, accumulation, place: { rank, size } }, 1);
      expect(plan.step.stateBytes).toBe(totalBytes);
    }
  }
});
