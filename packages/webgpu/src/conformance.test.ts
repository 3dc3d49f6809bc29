/** @jest-environment ./test/webgpu-environment.mjs */
import { checkMarks, checkOnBackend, conformanceCases } from '@transfusion/tensor/conformance';
import type { WebGpuBackend } from './backend.js';
import { DEFAULT_TILE, tiledVariant } from './kernels/products/tiled.js';
import { gpuWith, openTestBackend } from './testing/backend.js';
import { emulatedMatrixVariant } from './testing/emulated-matrices.js';

/** The least that WebGPU guarantees, but for the lanes of a workgroup: its compatibility mode has fewer still. */
const SMALLEST_LIMITS = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 128,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 7,
};

/** Kernels whose variants depend on the kind of adapter. */
const VARIED = /matmul (1x64x130|70x9x129)|shared matrix|inner axis|with bias|attention|conv2d, (3x3|stride|16|65)/;
/** Kernels of many operands, lanes, or workgroups. */
const LARGE = /large image|more operands|many|tall|of 130|with bias|per-row|70x9x129$|several tiles/;

/** Convolutions, as whose operands images are read in quads or one by one. */
const CONVOLVED = /conv2d, (3x3|stride|16|65)|conv2d with bias/;
const inBlocks = tiledVariant({ shape: { ...DEFAULT_TILE, tileRows: 32, tileColumns: 32 }, depthReads: 'blocks' });
const emulatedMatrices = emulatedMatrixVariant({
  config: { component: 'f32', M: 8, N: 8, K: 8 },
  blocks: { subgroupsDown: 2, subgroupsAcross: 1, matricesDown: 1, matricesAcross: 2, matricesDeep: 1 },
});

describe.each([
  ['this adapter', openTestBackend, /./],
  ['variants for GPUs', () => openTestBackend({ asHardware: true }), VARIED],
  ['the smallest limits', () => openTestBackend({ gpu: gpuWith({ limits: SMALLEST_LIMITS }) }), LARGE],
  ['tiles in blocks', () => openTestBackend({ candidates: () => [inBlocks] }), CONVOLVED],
  ['emulated subgroup matrices', () => openTestBackend({ candidates: () => [emulatedMatrices] }), CONVOLVED],
])('%s', (_, open, names) => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  const cases = conformanceCases.filter(({ name }) => names.test(name));
  test.each(cases.map((testCase) => [testCase.name, testCase] as const))('%s', async (_, testCase) => {
    expect(await checkOnBackend(backend, testCase)).toEqual([]);
  });
});

test('what is read while a run goes on is what it has written', async () => {
  const backend = await openTestBackend();
  expect(await checkMarks(backend)).toEqual([]);
  await backend.dispose();
});

/** Kernels that read or write f16 there. */
const HALVES = /matmul|conv2d|attention|norm|softmax of \d|rotary|gather|residual/;

describe("precision 'f16', where the adapter has it", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await openTestBackend();
  });
  afterAll(() => backend.dispose());

  const cases = conformanceCases.filter(({ name }) => HALVES.test(name));
  test.each(cases.map((testCase) => [testCase.name, testCase] as const))('%s', async (_, testCase) => {
    if (!backend.limits.f16) return;
    const tolerance = 2e-2;
    expect(await checkOnBackend(backend, { ...testCase, tolerance }, { precision: 'f16' })).toEqual([]);
  });
});
