import { type Options, parseOptions, UsageError } from './options.js';
import { ROWS } from './rows/index.js';

describe('parseOptions', () => {
  test('defaults to every row on both backends', () => {
    const options = parseOptions([]) as Options;
    expect(options).toMatchObject({ backends: ['wasm', 'webgpu'], repeats: 7, quick: false });
    expect(options.rows).toEqual([...ROWS.filter(({ gpuOnly }) => !gpuOnly).map(({ name }) => name), 'scaling']);
    expect(options.rows).toEqual(expect.arrayContaining(['matmul-1024', 'conv2d', 'train-step', 'decode-token']));
    expect(options.out).toMatch(/bench.results\.json$/);
  });

  test('takes lists by commas, in the order of the table', () => {
    const options = parseOptions([
      '--only',
      'train-step,matmul-1024',
      '--backend=webgpu',
      '--quick',
      '--out',
      'x.json',
    ]);
    expect(options).toEqual({
      rows: ['matmul-1024', 'train-step'],
      backends: ['webgpu'],
      repeats: 3,
      quick: true,
      profile: false,
      gpu: false,
      out: 'x.json',
    });
  });

  test('--gpu takes the rows for GPUs, on WebGPU', () => {
    const options = parseOptions(['--gpu']) as Options;
    expect(options).toMatchObject({ gpu: true, backends: ['webgpu'] });
    expect(options.rows).toContain('matmul-4096');
  });

  test('refuses what there is not, and says what there is', () => {
    expect(() => parseOptions(['--only', 'matmul'])).toThrow(/no 'matmul'; there are matmul-1024/);
    expect(() => parseOptions(['--backend', 'cuda'])).toThrow(UsageError);
    expect(() => parseOptions(['--repeats', '0'])).toThrow(/at least 1/);
    expect(() => parseOptions(['--speed'])).toThrow(UsageError);
  });
});
