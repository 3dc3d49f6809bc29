import type { Measurement } from './measure.js';
import { formatTable, resultRow } from './results.js';

const speed = (value: number) => ({
  description: 'an engine',
  value,
  range: [value / 2, value] as [number, number],
  repeats: 3,
});

const measurement: Measurement = {
  title: 'training step',
  unit: 'tokens/s',
  reduced: 'a batch of 1 row instead of 8',
  gflopPerUnit: 0.03,
  speeds: new Map([
    ['ours', speed(1200)],
    ['jax-js', speed(400)],
  ]),
  deviceBytes: new Map([['ours', 96 * 2 ** 20]]),
  absent: new Map([['tfjs', 'no gradient']]),
};

describe('resultRow', () => {
  test('has speeds, ratios above 1 where we are faster, and what was missing', () => {
    expect(resultRow('train-step', 'wasm', measurement)).toEqual({
      name: 'train-step',
      backend: 'wasm',
      title: 'training step',
      unit: 'tokens/s',
      ours: 1200,
      rivals: { 'jax-js': 400 },
      ratios: { 'jax-js': 3 },
      gflopPerSecond: { ours: 36, 'jax-js': 12 },
      deviceMebibytes: { ours: 96 },
      engines: {
        ours: { description: 'an engine', slowest: 600, fastest: 1200, repeats: 3 },
        'jax-js': { description: 'an engine', slowest: 200, fastest: 400, repeats: 3 },
      },
      notes: ['a batch of 1 row instead of 8', 'tfjs does not run it: no gradient'],
    });
  });
});

describe('formatTable', () => {
  test('has a line per engine and names what did not run', () => {
    const machine = { cpu: '', cores: 2, memoryGiB: 8, platform: '', node: '', loadAverage: 0, date: '' };
    const table = formatTable({
      machine,
      rows: [resultRow('train-step', 'wasm', measurement)],
      skipped: [{ name: 'attention', backend: 'webgpu', reason: 'no adapter' }],
    });
    expect(table.split('\n')).toEqual([
      'row         backend  engine  speed                       range             memory  ours is',
      'train-step  wasm     ours    1200 tokens/s (36 GFLOP/s)  600 to 1200 in 3  96 MiB',
      '                     jax-js  400 tokens/s (12 GFLOP/s)   200 to 400 in 3           3.00 x',
      '',
      'train-step on wasm: a batch of 1 row instead of 8',
      'train-step on wasm: tfjs does not run it: no gradient',
      'attention on webgpu: not run: no adapter',
    ]);
  });
});
