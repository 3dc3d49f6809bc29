/** `trainer plan`: numbers with units, sizes from a configuration alone, refusals. */
import { run } from '../main.js';
import { quantity } from './quantity.js';

async function plan(...argv: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const write = (text: string) => void lines.push(text);
  const { signal } = new AbortController();
  const code = await run(['plan', ...argv], { out: write, log: write, signal });
  return { code, text: lines.join('\n') };
}

/** Quick to trace. */
const SMALL = ['--preset', 'tiny', '--set', 'batch.accumulation=8'];

test.each([
  ['B', '80GB', 80e9],
  ['B', '2 GiB', 2 ** 31],
  ['B', '128MiB', 2 ** 27],
  ['B', '512B', 512],
  ['B/s', '25GB/s', 25e9],
  ['B/s', '1.3e3 MB/s', 1.3e9],
  ['FLOP/s', '20TFLOP/s', 20e12],
  ['FLOP/s', '72 GFLOP/s', 72e9],
  ['s', '5us', 5e-6],
  ['s', '2ms', 2e-3],
  ['s', '1s', 1],
] as const)('%s: %s', (unit, text, value) => expect(quantity(unit)(text)).toBeCloseTo(value, 9));

test.each([
  ['B', '80'],
  ['B', '-1GB'],
  ['B', '80GB/s'],
  ['B', '0B'],
  ['B/s', '25Gb/s'],
  ['FLOP/s', '20T'],
  ['s', 'ms'],
] as const)('%s: %s is refused', (unit, text) => expect(() => quantity(unit)(text)).toThrow('with its unit, such as'));

test("the paper's 7B: 6.7384 billion, and 0.3 % for images (Table 7)", async () => {
  const { parameters, needs, plans } = JSON.parse((await plan('--size', '7B', '--ranks', '64', '--json')).text);
  const text = needs.tensors.languageHead + needs.tensors.tokenEmbedding + 6_476_271_616;
  expect(text / 1e9).toBeCloseTo(6.7384, 4);
  expect((100 * (parameters - text)) / text).toBeCloseTo(0.269, 3);
  // 6 N D, what checkpoints compute again, and attention: 4 T d a token and layer forward, 7 / 2 times that in all, here 9 / 2.
  const positions = 4 * 4096;
  const products = 8 * (parameters - needs.tensors.tokenEmbedding) * positions;
  const attention = 32 * positions * 4 * 4096 * 4096;
  expect(needs.flops).toBeGreaterThan(products);
  expect(needs.flops).toBeLessThan(1.01 * products + 5 * attention);
  expect(plans[0].first.parameterBytes).toBe(4 * parameters);
});

test('a row for each number of ranks; a step keeps its rows, whatever a micro-batch has', async () => {
  const { code, text } = await plan(...SMALL, '--ranks', '1,2,4', '--micro-batch', '4');
  expect(code).toBe(0);
  expect(text).toContain('16 micro-batches of 4 x');
  expect(text.match(/^\| [124] +\| (16|8|4) /gm)).toHaveLength(3);
});

test('one more number of ranks changes nothing but its row', async () => {
  const json = async (ranks: string) => JSON.parse((await plan(...SMALL, '--ranks', ranks, '--json')).text).plans;
  expect(await json('2')).toEqual([(await json('1,2'))[1]]);
});

test.each([
  [['--ranks', '3'], 'SCALE_BATCH', 'a number of ranks that divides 8'],
  [['--micro-batch', '3'], 'PLAN_MICRO_BATCH', 'such as 2'],
  [['--size', '7B'], 'PLAN_SIZE', 'give one of them'],
  [['--set', 'finetune="x"'], 'PLAN_RUN', 'trainer train --dry-run'],
])('%j is refused as %s', async (options, codeName, fix) => {
  const { code, text } = await plan(...SMALL, ...options);
  expect(code).toBe(2);
  expect(text).toContain(codeName);
  expect(text).toContain(fix);
});
