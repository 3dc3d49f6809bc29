import { PhiloxStream } from '@transfusion/tensor';
import { klPresets, scaleDistribution, vqPresets } from '@transfusion/vae';
import { LatentMeter, withoutScale, withScale } from './statistics.js';

const channels = 8;
const drawn = (seed: number) => {
  const stream = new PhiloxStream(seed);
  return {
    mean: Float32Array.from({ length: 4000 * channels }, (_, i) => (i % channels) + 2 * stream.normal()),
    deviation: new Float32Array(4000 * channels).fill(1.5),
  };
};

test('measures what was drawn: the deviation of means and of the distributions together', () => {
  const meter = new LatentMeter(channels);
  meter.add(drawn(1));
  meter.add(drawn(2));
  const { mean, deviation } = meter.read();
  mean.forEach((value, channel) => {
    expect(Math.abs(value - channel)).toBeLessThan(0.1);
    expect(Math.abs(deviation[channel] - 2.5)).toBeLessThan(0.1);
  });
});

test.each([
  ['KL', withoutScale(klPresets['emoji-64'])],
  ['VQ', vqPresets['emoji-64']],
])('%s latents have mean square 1 once scaled; KL also mean 0', (kind, config) => {
  const meter = new LatentMeter(channels);
  meter.add(drawn(3));
  const scaled = new LatentMeter(channels);
  scaled.add(scaleDistribution(withScale(config, meter.read()), drawn(3)));
  const { mean, deviation } = scaled.read();
  const square = mean.reduce((sum, each, c) => sum + each ** 2 + deviation[c] ** 2, 0) / channels;
  expect(square).toBeCloseTo(1, 4);
  if (kind === 'KL') expect(Math.max(...mean.map(Math.abs))).toBeLessThan(1e-5);
  expect(scaleDistribution(withoutScale(config), drawn(3))).toEqual(drawn(3));
});
