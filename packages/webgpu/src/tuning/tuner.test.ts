/** @jest-environment ./test/webgpu-environment.mjs */
import type { WebGpuBackend } from '../backend.js';
import { planName, type TilePlan } from '../kernels/attention/plan.js';
import { DEFAULT_TILE, tiledVariant } from '../kernels/products/tiled.js';
import type { Variant } from '../kernels/products/variant.js';
import { attentionReference } from '../testing/attention-reference.js';
import { gpuWith, openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { MemoryTuningStore } from '../testing/memory-store.js';
import { largestError, normals } from '../testing/numbers.js';
import { gatedEpilogue, PRODUCT_TOLERANCE, type ProductCase, productError } from '../testing/product-check.js';

const SMALL: ProductCase = { batch: 1, m: 37, n: 21, k: 40, transposeA: false, transposeB: false };
const CLASS = '1x32x16x32 a: depth vec4 f32 matrix, b: side scalar f32 matrix, to f32';

const tiled = tiledVariant({ shape: DEFAULT_TILE });
/** Right, and slower than any other. */
const slow: Variant = {
  name: 'slow',
  lower: (product, context) => Array(40).fill(tiled.lower(product, context)).flat(),
};
const wrong: Variant = {
  name: 'wrong',
  lower: (product, context) =>
    tiled.lower(product, context).map((dispatch) => ({
      ...dispatch,
      code: dispatch.code.replace('i < 16u', 'i < 15u'),
    })),
};
const broken: Variant = {
  name: 'broken',
  lower: (product, context) => tiled.lower(product, context).map((dispatch) => ({ ...dispatch, code: 'not WGSL' })),
};
const unfinished: Variant = {
  name: 'unfinished',
  lower: (product, context) =>
    tiled.lower(product, context).map((dispatch) => ({
      ...dispatch,
      code: dispatch.code.replace('if (column + 3u < 21u)', 'if (column + 3u < 1u)'),
    })),
};
const throwing: Variant = {
  name: 'throwing',
  lower: () => {
    throw new Error('cannot be lowered');
  },
};

type Options = NonNullable<Parameters<typeof openTestBackend>[0]>;

async function withTuning(options: Options, use: (backend: WebGpuBackend) => Promise<void>): Promise<void> {
  const backend = await openTestBackend({ asHardware: true, tuning: 'measure', ...options });
  try {
    await use(backend);
  } finally {
    await backend.dispose();
  }
}

async function expectRight(backend: WebGpuBackend, product: ProductCase, withEpilogue = false): Promise<void> {
  const epilogue = withEpilogue ? gatedEpilogue(product) : undefined;
  expect(await productError(backend, product, epilogue)).toBeLessThan(PRODUCT_TOLERANCE);
}

describe('choosing by measurement', () => {
  test('the first load measures, another backend with the same store takes what that found', async () => {
    const tuningStore = new MemoryTuningStore();
    let choices: Record<string, string> | undefined;
    await withTuning({ tuningStore }, async (backend) => {
      const before = backend.stats();
      await expectRight(backend, SMALL);
      choices = backend.tuning!.choices;
      expect(Object.keys(choices)).toEqual([CLASS]);
      expect(backend.tuning).toMatchObject({ measured: 1, reused: 0, dropped: [] });
      expect(backend.tuning!.seconds).toBeGreaterThan(0);
      // What was measured is gone, and its pipelines are not the programs'.
      const { liveBytes, liveBuffers, builtKernels } = backend.stats();
      expect({ liveBytes, liveBuffers }).toEqual({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
      expect(builtKernels).toBeLessThanOrEqual(2);
      // A size of the same class.
      await expectRight(backend, { ...SMALL, m: 35 });
      expect(backend.tuning).toMatchObject({ measured: 1, choices });
      expect(tuningStore.saves).toBe(1);
    });
    expect([...tuningStore.contents.values()]).toEqual([choices]);
    await withTuning({ tuningStore }, async (backend) => {
      await expectRight(backend, SMALL);
      expect(backend.tuning).toEqual({ measured: 0, reused: 1, seconds: 0, choices, dropped: [] });
      expect(tuningStore.saves).toBe(1);
    });
  });

  test.each([true, false])('the faster variant wins, timestamps: %p', async (timestamps) => {
    const features = new Set([...(await navigator.gpu.requestAdapter())!.features]);
    if (timestamps ? !features.has('timestamp-query') : !features.delete('timestamp-query')) return;
    const gpu = gpuWith({ features, info: { vendor: 'test', isFallbackAdapter: false } });
    const tuningStore = new MemoryTuningStore();
    await withTuning({ gpu, tuningStore, candidates: () => [slow, tiled] }, async (backend) => {
      await expectRight(backend, SMALL);
      expect(backend.tuning!.choices).toEqual({ [CLASS]: tiled.name });
    });
    await withTuning({ gpu, tuningStore, candidates: () => [tiled, slow] }, async (backend) => {
      await expectRight(backend, SMALL);
      expect(backend.tuning!.choices).toEqual({ [CLASS]: tiled.name });
    });
  });

  test('variants that fail or compute something else are dropped, and are not fatal', async () => {
    const candidates = () => [slow, wrong, broken, unfinished, throwing] as [Variant, ...Variant[]];
    await withTuning({ tuningStore: new MemoryTuningStore(), candidates }, async (backend) => {
      const { liveBytes } = backend.stats();
      await expectRight(backend, SMALL);
      await expectRight(backend, SMALL, true);
      const reasons = backend.tuning!.dropped.map(({ variant, reason }) => `${variant}: ${reason}`);
      expect(reasons).toHaveLength(8);
      expect(reasons.join('\n')).toMatch(/wrong: its result differs/);
      expect(reasons.join('\n')).toMatch(/unfinished: its result differs/);
      expect(reasons.join('\n')).toMatch(/broken: .*does not compile/);
      expect(reasons.join('\n')).toMatch(/throwing: cannot be lowered/);
      expect(new Set(Object.values(backend.tuning!.choices))).toEqual(new Set(['slow']));
      expect(backend.stats().liveBytes).toBe(liveBytes);
    });
  });

  test('programs that are loaded at once measure a class once', () =>
    withTuning({ tuningStore: new MemoryTuningStore() }, async (backend) => {
      await Promise.all([expectRight(backend, SMALL), expectRight(backend, SMALL)]);
      expect(backend.tuning).toMatchObject({ measured: 1 });
    }));

  test('every transpose, a split k and an epilogue are measured and right', () =>
    withTuning({ tuningStore: new MemoryTuningStore() }, async (backend) => {
      await expectRight(backend, { ...SMALL, transposeA: true, transposeB: true, k: 600 });
      const product = { ...SMALL, batch: 2, transposeB: true };
      await expectRight(backend, product, true);
      expect(backend.tuning).toMatchObject({ measured: 2, dropped: [] });
    }));
});

describe('attention', () => {
  const plan: TilePlan = { strips: 2, lanes: 4, rowsPerThread: 4, columnsPerThread: 4, staged: false, chunk: 2 };
  const shape = { batch: 1, queries: 20, keys: 20, heads: 2, kvHeads: 1, headDim: 8, scale: 0.4 };
  const CLASSES = ['forward', 'dq', 'dk dv'].map(
    (part) => `attention ${part} 1x16x16 of 2/1 heads of 8 in f32 and f32`,
  );

  async function attend(backend: WebGpuBackend): Promise<void> {
    const run = new KernelRun(backend);
    const [q, kv] = [normals(320, 1), normals(160, 2)];
    const begin = new Int32Array(20);
    const end = Int32Array.from(begin, (_, i) => i + 1);
    const inputs = {
      q: run.input(q),
      k: run.input(kv),
      v: run.input(kv),
      begin: run.input(begin),
      end: run.input(end),
    };
    const [output, lse] = [run.output(320), run.output(40)];
    const gradients = { dq: run.output(320), dk: run.output(160), dv: run.output(160) };
    const dOutput = run.input(normals(320, 3));
    const [result] = await run.run(
      [
        { kind: 'attention', sharedKeys: false, ...shape, ...inputs, output, lse },
        {
          kind: 'attentionGrad',
          ...shape,
          ...inputs,
          lse,
          delta: run.input(new Float32Array(40)),
          dOutput,
          ...gradients,
        },
      ],
      [output, ...Object.values(gradients)],
    );
    const expected = attentionReference(shape, { q, k: kv, v: kv, begin, end });
    expect(largestError(result, expected.output)).toBeLessThan(3e-6);
  }

  test('its three parts are measured one by one, and stored', async () => {
    const tuningStore = new MemoryTuningStore();
    const plans = () => [plan, { ...plan, rowsPerThread: 8 }] as [TilePlan, TilePlan];
    await withTuning({ tuningStore, plans }, async (backend) => {
      await attend(backend);
      expect(backend.tuning).toMatchObject({ measured: 3, dropped: [] });
      expect(Object.keys(backend.tuning!.choices)).toEqual(CLASSES);
    });
    await withTuning({ tuningStore, plans }, async (backend) => {
      await attend(backend);
      expect(backend.tuning).toMatchObject({ measured: 0, reused: 3 });
    });
  });

  test('a plan that the device cannot run is dropped', async () => {
    const plans = () => [plan, { ...plan, lanes: 100_000 }] as [TilePlan, TilePlan];
    await withTuning({ tuningStore: new MemoryTuningStore(), plans }, async (backend) => {
      await attend(backend);
      expect(backend.tuning!.dropped.map(({ shapeClass }) => shapeClass)).toEqual(CLASSES);
      expect(new Set(Object.values(backend.tuning!.choices))).toEqual(new Set([planName(plan)]));
    });
  });
});

describe('the default is taken', () => {
  test('without measuring when it is off, and on software adapters unless told', async () => {
    const tuningStore = new MemoryTuningStore();
    for (const options of [{ tuning: 'off' as const }, { asHardware: false, tuning: undefined }]) {
      await withTuning({ tuningStore, candidates: () => [tiled, broken], ...options }, async (backend) => {
        if (backend.adapterKind === 'hardware' && options.tuning !== 'off') return;
        await expectRight(backend, SMALL);
        expect(backend.tuning).toBeUndefined();
      });
    }
    expect(tuningStore.saves).toBe(0);
  });

  test('where the memory to measure is not there, and nothing is stored', async () => {
    const tuningStore = new MemoryTuningStore();
    const product = { ...SMALL, m: 256, n: 256, k: 8 };
    const memoryLimitBytes = 800_000;
    await withTuning({ tuningStore, memoryLimitBytes, candidates: () => [tiled, slow] }, async (backend) => {
      await expectRight(backend, product);
      expect(backend.tuning).toMatchObject({ measured: 1 });
    });
    const candidates = () => [tiled, scratchHungry(memoryLimitBytes)] as [Variant, ...Variant[]];
    const empty = new MemoryTuningStore();
    await withTuning({ tuningStore: empty, memoryLimitBytes, candidates }, async (backend) => {
      await expectRight(backend, product);
      expect(backend.tuning).toMatchObject({ measured: 0, choices: {} });
      expect(backend.stats().liveBytes).toBe(0);
    });
    expect(empty.saves).toBe(0);
  });

  test('where the default itself cannot be measured, and its error is that of loading', () =>
    withTuning({ candidates: () => [broken, tiled], tuningStore: new MemoryTuningStore() }, async (backend) => {
      await expect(productError(backend, SMALL)).rejects.toMatchObject({ code: 'KERNEL_FAILED' });
      expect(backend.tuning).toMatchObject({ measured: 0 });
      expect(backend.stats().liveBytes).toBe(0);
    }));
});

describe('a store', () => {
  test('that fails does not fail the load', async () => {
    const fail = async () => {
      throw new Error('no store today');
    };
    await withTuning({ tuningStore: { load: fail, save: fail } }, async (backend) => {
      await expectRight(backend, SMALL);
      expect(backend.tuning).toMatchObject({ measured: 1 });
    });
  });

  test.each([
    ['a variant that there is not', { [CLASS]: 'tiled by hand' }],
    ['no entries', [1, 2] as unknown as Record<string, string>],
    ['nothing', null as unknown as undefined],
    ['no name', { [CLASS]: 7 as unknown as string }],
  ])('that holds %s is measured anew', async (_, held) => {
    await withTuning({ tuningStore: { load: async () => held, save: async () => {} } }, async (backend) => {
      await expectRight(backend, SMALL);
      expect(backend.tuning).toMatchObject({ measured: 1, reused: 0 });
    });
  });

  test('has another key for other kernels and other adapters', async () => {
    const tuningStore = new MemoryTuningStore();
    const info = (vendor: string) => ({ gpu: gpuWith({ info: { vendor, isFallbackAdapter: false } }) });
    for (const options of [{}, { candidates: () => [tiled, slow] as [Variant, Variant] }, info('another')]) {
      await withTuning({ tuningStore, ...options }, (backend) => expectRight(backend, SMALL));
    }
    const keys = [...tuningStore.contents.keys()];
    expect(keys).toHaveLength(3);
    expect(keys[0]).toMatch(/^test \| .* kernels [0-9a-f]{16}$/);
  });
});

function scratchHungry(bytes: number): Variant {
  return {
    name: 'hungry',
    lower(product, context) {
      context.scratch(bytes);
      return tiled.lower(product, context);
    },
  };
}
