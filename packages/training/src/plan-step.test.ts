/** The memory plan of real training steps. */
import type { Precision } from '@transfusion/tensor';
import { planRun, type StepPlan } from './plan-step.js';
import { syntheticRun, withSizes } from './testing/synthetic-run.js';

interface Sizes {
  layers: number;
  channels: number;
  sequenceLength: number;
  rows: number;
}

async function plan(
  { layers, channels, ...batch }: Sizes,
  {
    checkpointActivations,
    precision,
    accumulation = 1,
  }: { checkpointActivations?: boolean; precision?: Precision; accumulation?: number } = {},
): Promise<StepPlan> {
  const { sizes, optimisation } = syntheticRun();
  const model = { ...sizes.model, layers, channels, heads: 4, feedForward: undefined };
  const run = withSizes({ ...sizes, model, batch: { ...sizes.batch, ...batch }, checkpointActivations }, optimisation);
  return (await planRun(run.phases, { ...run.options, precision, accumulation }, 1)).step;
}

const MIB = 2 ** 20;

describe('the memory plan of a training step', () => {
  test.each([
    { layers: 2, channels: 64, sequenceLength: 50, rows: 3 },
    { layers: 6, channels: 256, sequenceLength: 256, rows: 8 },
    { layers: 12, channels: 128, sequenceLength: 77, rows: 5 },
    { layers: 3, channels: 512, sequenceLength: 128, rows: 1 },
  ])(
    '$layers layers of $channels, $rows x $sequenceLength tokens: within 1.25 times what lives at once',
    async (sizes) => {
      for (const checkpointActivations of [false, true]) {
        const { arenaBytes, liveBytes } = await plan(sizes, { checkpointActivations });
        expect(arenaBytes / liveBytes).toBeGreaterThanOrEqual(1);
        expect(arenaBytes / liveBytes).toBeLessThanOrEqual(1.25);
      }
    },
  );

  test('with checkpointActivations a layer more costs its input and its gradients, not its activations', async () => {
    const perLayer = async (checkpointActivations: boolean) => {
      const of = (layers: number) =>
        plan({ layers, channels: 256, sequenceLength: 256, rows: 8 }, { checkpointActivations });
      return ((await of(12)).arenaBytes - (await of(4)).arenaBytes) / 8;
    };
    // 2,048 positions of 256 channels are 2 MiB, a layer's weights 3 MiB.
    expect(await perLayer(false)).toBeGreaterThan(20 * MIB);
    expect(await perLayer(true)).toBeLessThan(6 * MIB);
  });

  test('with accumulation a layer more costs no gradients: they are added to their sums at once', async () => {
    const of = (layers: number) =>
      plan({ layers, channels: 256, sequenceLength: 256, rows: 8 }, { checkpointActivations: true, accumulation: 4 });
    // Its input alone: 2,048 positions of 256 channels.
    expect(((await of(12)).liveBytes - (await of(4)).liveBytes) / 8).toBeLessThan(2.1 * MIB);
  });

  test("precision 'f16' takes less", async () => {
    const sizes = { layers: 6, channels: 256, sequenceLength: 256, rows: 8 };
    const [wide, half] = [await plan(sizes), await plan(sizes, { precision: 'f16' })];
    expect(half.arenaBytes).toBeLessThan(0.7 * wide.arenaBytes);
  });

  test('for a device: a buffer that it cannot bind is refused, with its name', async () => {
    const { sizes, optimisation } = syntheticRun();
    const { phases, options } = withSizes({ ...sizes, batch: { ...sizes.batch, rows: 64 } }, optimisation);
    const limits = {
      alignment: 256,
      maxArenaBytes: 2 ** 31,
      maxBufferBytes: 2 ** 14,
      maxExpressionInputs: 7,
      f16: false,
    };
    const withBuffers = (maxBufferBytes: number) =>
      planRun(phases, { ...options, limits: { ...limits, maxBufferBytes } }, 1);
    await expect(withBuffers(2 ** 14)).rejects.toThrow(
      'parameters.timestepEmbedding.first.weight [32, 256] needs 32.0 KiB; a buffer of this device has at most 16.0 KiB',
    );
    // All parameters fit, and not what is made of them.
    await expect(withBuffers(2 ** 15)).rejects.toThrow(
      /^OUT_OF_MEMORY: '\w+' needs .* KiB; a buffer of this backend has at most 32.0 KiB/,
    );
    await expect(withBuffers(2 ** 20)).resolves.toBeDefined();
  });
});
