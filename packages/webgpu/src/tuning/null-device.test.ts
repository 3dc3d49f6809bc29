import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePackage, root } from '../testing/bundle.js';

/**
 * The whole way on Dawn's null device, which validates everything and executes nothing, described as one that has subgroup
 * matrices: opening, measuring all candidates of f16 and f32 products, loading with the choice.
 */
const workFolder = join(root, '.cache', `webgpu-null-test-${process.pid}`);

const SCRIPT = `
import { create } from 'webgpu';
import { openWebGpu } from './index.js';
const dawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
const configs = [
  { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 },
  { componentType: 'f32', resultComponentType: 'f32', M: 8, N: 8, K: 8 },
];
const requestAdapter = async () => {
  const adapter = await dawn.requestAdapter();
  const names = { vendor: 'null', architecture: '', device: '', description: 'null', isFallbackAdapter: false };
  return {
    features: adapter.features,
    limits: adapter.limits,
    info: { ...names, subgroupMinSize: 4, subgroupMaxSize: 128, subgroupMatrixConfigs: configs },
    requestDevice: (descriptor) => adapter.requestDevice(descriptor),
  };
};
const saved = [];
const tuningStore = { load: async () => undefined, save: async (key, entries) => void saved.push(key, entries) };
const backend = await openWebGpu({ gpu: { requestAdapter }, tuningStore });
const [m, n, k] = [160, 144, 1100];
const buffer = (dtype, index) => ({ dtype, elements: 200_000, name: dtype, storage: { kind: 'arena', arena: index, byteOffset: 0 } });
const matrix = (buffer, transpose) => ({ buffer, transpose, batchStride: 0 });
const product = (first, output, transpose) => ({
  ...{ kind: 'matmul', batch: 1, m, n, k, a: matrix(first, false), b: matrix(first + 1, transpose), output },
  epilogue: { views: [{ buffer: 6, offset: 0, strides: [0, 0, 1] }], expression: [{ op: 'load', input: 0 }] },
});
const program = {
  ...{ name: 'products', liveBytes: 0, flops: 0, outputs: [] },
  arenaBytes: Array(7).fill(800_000),
  buffers: ['f16', 'f16', 'f16', 'f32', 'f32', 'f32', 'f32'].map(buffer),
  kernels: [product(0, 2, false), product(0, 5, true), product(3, 5, false), product(3, 2, true)],
};
const before = backend.stats().liveBytes;
const executable = await backend.load(program, []);
await executable.run([]);
executable.dispose();
console.log('\\n' + JSON.stringify({ tuning: backend.tuning, saved, freed: backend.stats().liveBytes === before }));
await backend.dispose();
process.exit(0);`;

beforeAll(() => {
  mkdirSync(workFolder, { recursive: true });
  bundlePackage(workFolder);
});
afterAll(() => rmSync(workFolder, { recursive: true, force: true }));

test('all candidates of f16 and f32 products are valid, subgroup matrices among them', () => {
  const script = join(workFolder, 'script.mjs');
  writeFileSync(script, SCRIPT);
  const ended = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 240_000 });
  expect(ended).toMatchObject({ status: 0, signal: null });
  const { tuning, saved, freed } = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!);
  expect(tuning).toMatchObject({ measured: 4, reused: 0 });
  // What is read there is whatever the memory held. Nothing may fail to compile or to be bound.
  const { dropped } = tuning as { dropped: { variant: string; reason: string }[] };
  expect(dropped.filter(({ reason }) => !reason.startsWith('its result differs'))).toEqual([]);
  expect(
    Object.keys(tuning.choices).filter((name) => /a: depth vec4 f16 .* to f16 with epilogue/.test(name)),
  ).toHaveLength(1);
  expect(saved[0]).toMatch(/^null \| /);
  expect(saved[1]).toEqual(tuning.choices);
  expect(freed).toBe(true);
});
