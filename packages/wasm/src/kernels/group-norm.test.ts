import { useKernelRunner } from '../testing/kernel-runner.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

interface Sizes {
  batch: number;
  positions: number;
  channels: number;
  groups: number;
}

const EPSILON = 1e-5;

/** Output, statistics, and the gradient by the input, in f64. */
function reference(
  { batch, positions, channels, groups }: Sizes,
  { x, weight, bias, dy }: Record<'x' | 'weight' | 'bias' | 'dy', Float32Array>,
) {
  const output = new Float64Array(x.length);
  const dx = new Float64Array(x.length);
  const mean = new Float64Array(batch * groups);
  const rstd = new Float64Array(batch * groups);
  const width = channels / groups;
  for (let group = 0; group < batch * groups; group++) {
    const places = Array.from({ length: positions * width }, (_, i) => {
      const first = Math.floor(group / groups) * positions * channels + (group % groups) * width;
      return first + Math.floor(i / width) * channels + (i % width);
    });
    const average = (value: (at: number) => number) => places.reduce((sum, at) => sum + value(at), 0) / places.length;
    mean[group] = average((at) => x[at]);
    rstd[group] = 1 / Math.sqrt(average((at) => (x[at] - mean[group]) ** 2) + EPSILON);
    const h = (at: number) => (x[at] - mean[group]) * rstd[group];
    const g = (at: number) => dy[at] * weight[at % channels];
    const [shift, tilt] = [average(g), average((at) => g(at) * h(at))];
    for (const at of places) {
      output[at] = h(at) * weight[at % channels] + bias[at % channels];
      dx[at] = rstd[group] * (g(at) - shift - h(at) * tilt);
    }
  }
  return { output, mean, rstd, dx };
}

test.each([
  { batch: 1, positions: 1, channels: 1, groups: 1 },
  { batch: 2048, positions: 1, channels: 65, groups: 1 },
  { batch: 3, positions: 7, channels: 12, groups: 4 },
  { batch: 2, positions: 4099, channels: 32, groups: 8 },
  { batch: 1, positions: 1600, channels: 130, groups: 13 },
])('$batch x $positions x $channels in $groups groups, the same bits on any threads', async (sizes) => {
  const { batch, positions, channels, groups } = sizes;
  const elements = batch * positions * channels;
  // Far from zero: nothing may cancel.
  const x = floats(elements, 1).map((value) => value + 50);
  const [weight, bias, dy] = [floats(channels, 2), floats(channels, 3), floats(elements, 4)];
  const { output, mean, rstd, dx } = reference(sizes, { x, weight, bias, dy });
  await runner.check(
    {
      inputs: { x, weight, bias },
      outputs: { output: elements, mean: batch * groups, rstd: batch * groups },
      kernel: (buffers) => ({ kind: 'groupNorm', ...sizes, epsilon: EPSILON, ...buffers }),
    },
    { output, mean, rstd },
    { absolute: 3e-5, relative: 3e-5 },
  );
  await runner.check(
    {
      inputs: { x, weight, mean: Float32Array.from(mean), rstd: Float32Array.from(rstd), dy },
      outputs: { dx: elements },
      kernel: (buffers) => ({ kind: 'groupNormGrad', ...sizes, ...buffers }),
    },
    { dx },
    { absolute: 5e-5, relative: 5e-5 },
  );
});
