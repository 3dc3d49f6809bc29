/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import type { DeviceLimits } from '../../adapter/limits.js';
import {
  matrixOrderForm,
  orderFormProbe,
  SUBGROUP_MATRIX_FEATURE,
  subgroupMatrixConfigs,
} from '../../adapter/subgroup-matrices.js';
import type { LoweringContext } from '../../lowering.js';
import { kernelContext } from '../../runtime/kernel-context.js';
import { openTestBackend } from '../../testing/backend.js';
import { emulatedMatrixVariant } from '../../testing/emulated-matrices.js';
import { compileOnNullDevice, NULL_LIMITS } from '../../testing/null-device.js';
import {
  alignedEpilogue,
  gatedEpilogue,
  PRODUCT_TOLERANCE,
  productError,
  TRANSPOSES,
} from '../../testing/product-check.js';
import { lowerConv2d } from '../conv2d/conv2d.js';
import { productCandidates } from './candidates.js';
import { lowerMatmul } from './matmul.js';
import type { MatrixBlocks } from './subgroup-matrix.js';
import type { SubgroupMatrixConfig } from './subgroup-matrix-wgsl.js';

const NVIDIA: SubgroupMatrixConfig = { component: 'f16', M: 16, N: 16, K: 16 };
const INTEL: SubgroupMatrixConfig = { component: 'f16', M: 8, N: 16, K: 16 };
const APPLE: SubgroupMatrixConfig = { component: 'f32', M: 8, N: 8, K: 8 };
const two: MatrixBlocks = { subgroupsDown: 2, subgroupsAcross: 1, matricesDown: 2, matricesAcross: 2, matricesDeep: 2 };

const LIMITS = { minStorageBufferOffsetAlignment: 256 } as DeviceLimits;

const EDGES = [2, 37, 41, 19];
const WHOLE_TILES = [1, 32, 32, 32];
const SPLIT = [1, 10, 6, 530];

/** f16 operands are f32 here: the arithmetic is that of the kernel, sums in f32. */
describe.each([
  ['16x16x16', { ...NVIDIA, component: 'f32' as const }, { ...two, matricesAcross: 1, matricesDeep: 1 }, []],
  ['8x16x16', { ...INTEL, component: 'f32' as const }, { ...two, matricesDown: 1, subgroupsAcross: 2 }, [SPLIT]],
  ['8x8x8', APPLE, two, [EDGES, WHOLE_TILES, SPLIT, [1, 1, 1, 1]]],
])('emulated matrices of %s', (_, config, blocks, shapes) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openTestBackend({ candidates: () => [emulatedMatrixVariant({ config, blocks })] });
  });
  afterAll(() => backend.dispose());

  test.each(TRANSPOSES)('%s', async (_, transposeA, transposeB) => {
    for (const [batch, m, n, k] of shapes) {
      const product = { batch, m, n, k, transposeA, transposeB };
      expect(await productError(backend, product)).toBeLessThan(PRODUCT_TOLERANCE);
    }
    const product = { batch: 2, m: 35, n: 20, k: 24, transposeA, transposeB, sharedB: true };
    expect(await productError(backend, product, gatedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
  });
});

describe('emulated matrices that are loaded where the operands lie', () => {
  let backend: Backend;
  beforeAll(async () => {
    const options = { config: APPLE, blocks: two, from: 'storage', policy: 'split twice' } as const;
    backend = await openTestBackend({ candidates: () => [emulatedMatrixVariant(options)] });
  });
  afterAll(() => backend.dispose());

  test.each(TRANSPOSES)('%s', async (_, transposeA, transposeB) => {
    const product = { batch: 2, m: 64, n: 48, k: 256, transposeA, transposeB, sharedA: true };
    expect(await productError(backend, product, alignedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
  });
});

describe('pipelines on a device with subgroup matrices', () => {
  /** The context of kernels whose buffers hold the configuration's type. */
  function contextOf(config: SubgroupMatrixConfig, elements: number, which = /^subgroup matrices/): LoweringContext {
    const buffer = {
      dtype: config.component,
      elements,
      name: 'operand',
      storage: { kind: 'input', index: 0 },
    } as const;
    const subgroupMatrices = { configs: [config], orderForm: 'template' as const };
    return kernelContext({
      program: { buffers: [buffer, buffer, buffer, buffer] },
      limits: LIMITS,
      lowering: { ...NULL_LIMITS, subgroupMatrices, software: false },
      chooseVariant: (product, context) => productCandidates(product, context).find(({ name }) => which.test(name)),
    }).context;
  }

  test.each([
    ['f16 16x16x16', NVIDIA],
    ['f16 8x16x16', INTEL],
    ['f32 8x8x8', APPLE],
  ])('%s', (_, config) => {
    const codes: string[] = [];
    for (const [batch, m, n, k] of [
      [1, 64, 64, 64],
      [3, 67, 41, 19],
      [1, 36, 68, 2000],
    ]) {
      for (const [, transposeA, transposeB] of TRANSPOSES) {
        const a = { buffer: 0, transpose: transposeA, batchStride: m * k };
        const b = { buffer: 1, transpose: transposeB, batchStride: k * n };
        const context = contextOf(config, batch * m * n * k);
        const [dispatch] = lowerMatmul({ kind: 'matmul', batch, m, n, k, a, b, output: 2 }, context);
        expect(dispatch.label).toMatch(/subgroup matrices/);
        codes.push(dispatch.code);
      }
    }
    for (const [, transposeA, transposeB] of TRANSPOSES) {
      const [batch, m, n, k] = [2, 128, 64, 512];
      const a = { buffer: 0, transpose: transposeA, batchStride: m * k };
      const b = { buffer: 1, transpose: transposeB, batchStride: k * n };
      const context = contextOf(config, batch * m * n * k, /in place$/);
      const [dispatch] = lowerMatmul({ kind: 'matmul', batch, m, n, k, a, b, output: 2 }, context);
      expect(dispatch.label).toMatch(/in place/);
      codes.push(dispatch.code);
    }
    expect(compileOnNullDevice(codes).flat()).toEqual([]);
  });

  test('a convolution with an epilogue', () => {
    const shape = { batch: 2, height: 9, width: 7, channels: 5, outputHeight: 9, outputWidth: 7, outputChannels: 12 };
    const filters = { kernelHeight: 3, kernelWidth: 3, strideY: 1, strideX: 1, padTop: 1, padLeft: 1 };
    const views = [{ buffer: 3, offset: 0, strides: [0, 0, 1] }];
    const epilogue = { views, expression: [{ op: 'load', input: 1 } as const] };
    const kernel = { kind: 'conv2d', ...shape, ...filters, x: 0, weight: 1, output: 2, epilogue } as const;
    const [dispatch] = lowerConv2d(kernel, contextOf(NVIDIA, 2000));
    expect(dispatch.label).toMatch(/subgroup matrices/);
    expect(compileOnNullDevice([dispatch.code])).toEqual([[]]);
  });

  test('both forms of the builtins compile, and that with a parameter without a warning', () => {
    const forms = (['template', 'argument'] as const).map((form) => orderFormProbe(APPLE, form));
    const [template, argument] = compileOnNullDevice(forms);
    expect(template).toEqual([]);
    expect(new Set(argument)).toEqual(new Set(['use of deprecated builtin']));
  });
});

test('the form is that which the compiler of a device takes', async () => {
  const deviceThatTakes = (accepted: RegExp) =>
    ({
      pushErrorScope: () => {},
      popErrorScope: async () => null,
      createShaderModule: ({ code }: { code: string }) => ({
        getCompilationInfo: async () => ({ messages: accepted.test(code) ? [] : [{ type: 'error' }] }),
      }),
    }) as unknown as GPUDevice;
  expect(await matrixOrderForm(deviceThatTakes(/row_major/), APPLE)).toBe('template');
  expect(await matrixOrderForm(deviceThatTakes(/, false, /), APPLE)).toBe('argument');
  expect(await matrixOrderForm(deviceThatTakes(/nothing/), APPLE)).toBeUndefined();
});

test('configurations with f32 sums are taken, those of f16 only with shader-f16', () => {
  const reported = [
    { componentType: 'f16', resultComponentType: 'f16', M: 16, N: 16, K: 16 },
    { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 },
    { componentType: 'f32', resultComponentType: 'f32', M: 8, N: 8, K: 8 },
    { componentType: 'f32', resultComponentType: 'f32', M: 12, N: 8, K: 8 },
    { componentType: 'u8', resultComponentType: 'u32', M: 16, N: 16, K: 32 },
  ];
  const info = { subgroupMatrixConfigs: reported } as unknown as GPUAdapterInfo;
  expect(subgroupMatrixConfigs(info, new Set([SUBGROUP_MATRIX_FEATURE, 'subgroups', 'shader-f16']))).toEqual([
    NVIDIA,
    APPLE,
  ]);
  expect(subgroupMatrixConfigs(info, new Set([SUBGROUP_MATRIX_FEATURE, 'subgroups']))).toEqual([APPLE]);
  expect(subgroupMatrixConfigs(info, new Set(['subgroups', 'shader-f16']))).toEqual([]);
});

test('operands of different types have no candidate of subgroup matrices', () => {
  const buffer = (dtype: 'f16' | 'f32') =>
    ({ dtype, elements: 64 * 64, name: 'operand', storage: { kind: 'input', index: 0 } }) as const;
  const names = (a: 'f16' | 'f32', b: 'f16' | 'f32') => {
    let found: string[] = [];
    const subgroupMatrices = { configs: [NVIDIA, APPLE], orderForm: 'template' as const };
    const { context } = kernelContext({
      program: { buffers: [buffer(a), buffer(b), buffer('f32')] },
      limits: LIMITS,
      lowering: { ...NULL_LIMITS, subgroupMatrices, software: false },
      chooseVariant: (product, own) => {
        found = productCandidates(product, own).map(({ name }) => name);
        return undefined;
      },
    });
    const operand = (buffer: number) => ({ buffer, transpose: false, batchStride: 0 });
    const size = { batch: 1, m: 64, n: 64, k: 64 };
    lowerMatmul({ kind: 'matmul', ...size, a: operand(0), b: operand(1), output: 2 }, context);
    return found.filter((name) => name.startsWith('subgroup matrices'));
  };
  expect(names('f16', 'f16')[0]).toMatch(/f16 16x16x16/);
  expect(names('f32', 'f32')[0]).toMatch(/f32 8x8x8/);
  expect(names('f16', 'f32')).toEqual([]);
});
