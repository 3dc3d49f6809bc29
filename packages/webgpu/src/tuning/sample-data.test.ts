/** @jest-environment ./test/webgpu-environment.mjs */
import { PipelineCache } from '../runtime/pipelines.js';
import { compareWgsl, countWgsl, fillWgsl, poisonWgsl, SAMPLE_WORKGROUPS } from './sample-data.js';

const STORAGE = 0x80 | 0x4 | 0x8;
let device: GPUDevice;
let pipelines: PipelineCache;
beforeAll(async () => {
  device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  pipelines = new PipelineCache(device);
});
afterAll(() => device.destroy());

/** Runs the WGSL over buffers with these contents and reads the one at `read`. */
async function run(code: string, contents: Uint32Array<ArrayBuffer>[], read: number): Promise<Uint32Array> {
  const buffers = contents.map((words) => device.createBuffer({ size: words.byteLength, usage: STORAGE }));
  buffers.forEach((buffer, i) => device.queue.writeBuffer(buffer, 0, contents[i]));
  const bytes = contents[read].byteLength;
  const staging = device.createBuffer({ size: bytes, usage: 0x1 | 0x8 });
  const ranges = buffers.map((gpu, i) => ({ gpu, byteOffset: 0, bytes: contents[i].byteLength }));
  const pipeline = await pipelines.get({ label: 'test', code, bindingCount: buffers.length });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, pipelines.bindGroup({ label: 'test', ranges }));
  pass.dispatchWorkgroups(SAMPLE_WORKGROUPS);
  pass.end();
  encoder.copyBufferToBuffer(buffers[read], 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(0x1);
  const result = new Uint32Array(staging.getMappedRange().slice(0));
  for (const buffer of [...buffers, staging]) buffer.destroy();
  return result;
}

/** The f16 in the low and high half of each word, which are normal numbers or zero here. */
function halves(words: Uint32Array): number[] {
  return [...words].flatMap((word) =>
    [word & 0xffff, word >>> 16].map((bits) => {
      const exponent = (bits >> 10) & 31;
      const magnitude = exponent === 0 ? (bits & 1023) * 2 ** -24 : (1 + (bits & 1023) / 1024) * 2 ** (exponent - 15);
      return bits & 0x8000 ? -magnitude : magnitude;
    }),
  );
}

test.each(['f32', 'f16'] as const)('samples of %s are uniform in [-1, 1] and differ by seed', async (type) => {
  const words = () => new Uint32Array(40_000);
  const numbers = async (seed: number) => {
    const filled = await run(fillWgsl(type, seed), [words()], 0);
    return type === 'f16' ? halves(filled) : [...new Float32Array(filled.buffer)];
  };
  const [first, second] = [await numbers(0), await numbers(1)];
  for (const each of [first, second]) {
    expect(Math.max(...each.map(Math.abs))).toBeLessThanOrEqual(1);
    const mean = each.reduce((sum, x) => sum + x, 0) / each.length;
    const variance = each.reduce((sum, x) => sum + x * x, 0) / each.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1 / 3)).toBeLessThan(0.01);
  }
  const product = first.reduce((sum, x, i) => sum + x * second[i], 0) / first.length;
  expect(Math.abs(product)).toBeLessThan(0.01);
});

test('integers count up, again and again', async () => {
  const counted = await run(countWgsl({ first: 5, period: 3 }), [new Uint32Array(7)], 0);
  expect([...counted]).toEqual([5, 6, 7, 5, 6, 7, 5]);
});

test('poison is NaN as either type', async () => {
  const [word] = await run(poisonWgsl(), [new Uint32Array(70)], 0);
  expect(new Float32Array(Uint32Array.of(word).buffer)[0]).toBeNaN();
  for (const half of [word & 0xffff, word >>> 16]) expect(half & 0x7fff).toBeGreaterThan(0x7c00);
});

test.each([
  ['f32', [1, 100, 0, Number.NaN, Infinity], [1.00001, 100.01, 1e-5, Number.NaN, Infinity], 0],
  ['f32', [1, 100, 0, Number.NaN, Infinity, -Infinity, 5], [1.01, 102, 0.01, 0, Number.NaN, Infinity, Infinity], 7],
] as const)('%s numbers %p and %p differ in %p', async (type, actual, expected, count) => {
  const words = (numbers: readonly number[]) => new Uint32Array(Float32Array.from(numbers).buffer);
  const found = await run(
    compareWgsl({ type, tolerance: 1e-3, count: 0 }),
    [words(actual), words(expected), new Uint32Array(1)],
    2,
  );
  expect([...found]).toEqual([count]);
});

test('f16 numbers are compared one by one', async () => {
  // 1.0 and 2.0; 1.0 and NaN; the next after 1.0 and infinity.
  const actual = Uint32Array.of(0x40003c00, 0x7e003c00, 0x7c003c01);
  const expected = Uint32Array.of(0x44003c00, 0x7e003c00, 0x7c003c00);
  const found = await run(
    compareWgsl({ type: 'f16', tolerance: 4e-3, count: 2 }),
    [actual, expected, new Uint32Array(3)],
    2,
  );
  expect([...found]).toEqual([0, 0, 1]);
});
