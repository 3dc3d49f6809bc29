/** @jest-environment ./test/webgpu-environment.mjs */
import { TransfusionError } from '@transfusion/core';
import { type Kernel, OutOfMemoryError, type Program } from '@transfusion/tensor';
import type { WebGpuBackend } from './backend.js';
import { openWebGpu } from './open.js';
import { gpuWith, openTestBackend } from './testing/backend.js';

/** state += input; output = scratch of it times a constant, plus its sum. */
function accumulate(elements: number): Program {
  const view = (buffer: number) => ({ buffer, offset: 0, strides: [1] });
  const kernels: Kernel[] = [
    {
      kind: 'elementwise',
      shape: [elements],
      inputs: [view(0), view(1)],
      output: view(0),
      expression: [
        { op: 'load', input: 0 },
        { op: 'load', input: 1 },
        { op: 'add', a: 0, b: 1 },
      ],
    },
    {
      kind: 'elementwise',
      shape: [elements],
      inputs: [view(0), { buffer: 2, offset: 0, strides: [0] }],
      output: view(3),
      expression: [
        { op: 'load', input: 0 },
        { op: 'load', input: 1 },
        { op: 'mul', a: 0, b: 1 },
      ],
    },
    {
      kind: 'reduce',
      shape: [elements],
      keptRank: 0,
      inputs: [view(3)],
      expression: [{ op: 'load', input: 0 }],
      op: 'sum',
      output: 4,
    },
  ];
  const f32 = (name: string, count: number, storage: Program['buffers'][number]['storage']) =>
    ({ dtype: 'f32', elements: count, name, storage }) as const;
  return {
    name: 'accumulate',
    buffers: [
      f32('total', elements, { kind: 'state', index: 0 }),
      f32('step', elements, { kind: 'input', index: 0 }),
      f32('factor', 1, { kind: 'constant', data: Float32Array.of(2) }),
      f32('scaled', elements, { kind: 'arena', arena: 0, byteOffset: 0 }),
      f32('sum', 1, { kind: 'arena', arena: 0, byteOffset: Math.ceil((elements * 4) / 256) * 256 }),
    ],
    kernels,
    arenaBytes: [Math.ceil((elements * 4) / 256) * 256 + 256],
    liveBytes: 0,
    outputs: [3, 4],
    flops: 3 * elements,
  };
}

const floats = (buffer: ArrayBuffer) => [...new Float32Array(buffer)];
const ones = (count: number) => new Float32Array(count).fill(1);

/** Opens a backend for one test. */
async function withBackend(
  test: (backend: WebGpuBackend) => Promise<void>,
  open: () => Promise<WebGpuBackend> = openTestBackend,
): Promise<void> {
  const backend = await open();
  try {
    await test(backend);
  } finally {
    await backend.dispose();
  }
}

describe('running', () => {
  test('states persist, outputs are read, and 200 runs build and allocate nothing', () =>
    withBackend(async (backend) => {
      const state = backend.createBuffer(5);
      expect(floats(await state.read())).toEqual([0, 0, 0, 0, 0]);
      const executable = await backend.load(accumulate(5), [state]);
      const first = await executable.run([ones(5)]);
      expect(first.map(floats)).toEqual([[2, 2, 2, 2, 2], [10]]);
      const before = backend.stats();
      for (let step = 2; step <= 200; step++) await executable.run([ones(5)]);
      expect(backend.stats()).toEqual(before);
      expect(floats(await state.read())).toEqual([200, 200, 200, 200, 200]);
      expect(backend.stats()).toEqual(before);
    }));

  test('runs and writes take effect in the order of the calls, without waiting', () =>
    withBackend(async (backend) => {
      const state = backend.createBuffer(3);
      const executable = await backend.load(accumulate(3), [state]);
      const results = [executable.run([ones(3)]), executable.run([ones(3)])];
      state.write(Float32Array.of(10, 20), 1);
      results.push(executable.run([ones(3)]));
      const input = ones(3);
      results.push(executable.run([input]));
      input.fill(1000);
      const [reading, part] = [state.read(), state.read(1, 2)];
      results.push(executable.run([ones(3)]));
      const scaled = (await Promise.all(results)).map(([output]) => floats(output));
      expect(scaled).toEqual([
        [2, 2, 2],
        [4, 4, 4],
        [6, 22, 42],
        [8, 24, 44],
        [10, 26, 46],
      ]);
      expect(floats(await reading)).toEqual([4, 12, 22]);
      expect(floats(await part)).toEqual([12]);
      const before = backend.stats();
      await Promise.all([1, 2, 3, 4, 5].map(() => executable.run([ones(3)])));
      expect(backend.stats()).toEqual(before);
    }));

  test('equal kernels share a pipeline, and disposing frees all memory', () =>
    withBackend(async (backend) => {
      const before = backend.stats();
      const state = backend.createBuffer(4);
      const program = accumulate(4);
      program.kernels.push(program.kernels[1], program.kernels[1]);
      const first = await backend.load(program, [state]);
      expect(backend.stats().builtKernels).toBe(3);
      const second = await backend.load(program, [state]);
      expect(backend.stats().builtKernels).toBe(3);
      expect(backend.stats().liveBytes).toBeGreaterThan(before.liveBytes);
      const running = second.run([ones(4)]);
      first.dispose();
      second.dispose();
      expect(floats((await running)[0])).toEqual([2, 2, 2, 2]);
      state.destroy();
      state.destroy();
      expect(backend.stats()).toMatchObject({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
    }));

  test('a program without outputs still ends', () =>
    withBackend(async (backend) => {
      const state = backend.createBuffer(2);
      const executable = await backend.load({ ...accumulate(2), outputs: [] }, [state]);
      expect(await executable.run([ones(2)])).toEqual([]);
      expect(floats(await state.read())).toEqual([1, 1]);
    }));
});

describe('misuse is an error that says what to do', () => {
  test('buffers, inputs and states of the wrong size', () =>
    withBackend(async (backend) => {
      const state = backend.createBuffer(4);
      expect(() => state.write(ones(3), 2)).toThrow(/elements 2 to 5 of a buffer that has 4/);
      expect(() => backend.createBuffer(0)).toThrow(TransfusionError);
      await expect(backend.load(accumulate(5), [state])).rejects.toThrow(/state 0 \('total'\) has 5 elements.*has 4/);
      await expect(backend.load(accumulate(4), [])).rejects.toThrow(TransfusionError);
      const executable = await backend.load(accumulate(4), [state]);
      await expect(executable.run([ones(5)])).rejects.toThrow(
        /input 0 \('step'\) takes a Float32Array of 4, but a Float32Array of 5/,
      );
      await expect(executable.run([])).rejects.toThrow(TransfusionError);
    }));

  test('a profiled run gives the same results and the time of every kernel, with and without timestamps', async () => {
    for (const timestamps of [true, false]) {
      const features = new Set([...(await navigator.gpu.requestAdapter())!.features]);
      if (timestamps ? !features.has('timestamp-query') : !features.delete('timestamp-query')) continue;
      await withBackend(
        async (backend) => {
          const program = accumulate(1000);
          const executable = await backend.load(program, [backend.createBuffer(1000)]);
          const built = backend.stats();
          const { outputs, spans, clock } = await executable.profile([ones(1000)]);
          expect(floats(outputs[1])).toEqual([2000]);
          expect(clock).toMatch(timestamps ? /timestamps/ : /wall clock/);
          expect(new Set(spans.map(({ kernel }) => kernel))).toEqual(new Set(program.kernels.keys()));
          for (const { start, end } of spans) expect(end).toBeGreaterThanOrEqual(start);
          expect(backend.stats()).toEqual(built);
        },
        () => openWebGpu({ gpu: gpuWith({ features }) }),
      );
    }
  });

  test('use after destroy and dispose', async () => {
    const backend = await openTestBackend();
    const [state, other] = [backend.createBuffer(4), backend.createBuffer(4)];
    const executable = await backend.load(accumulate(4), [state]);
    const disposed = await backend.load(accumulate(4), [other]);
    disposed.dispose();
    await expect(disposed.run([ones(4)])).rejects.toMatchObject({ code: 'PROGRAM_DISPOSED' });
    state.destroy();
    expect(() => state.write(ones(4))).toThrow(/BUFFER_DESTROYED/);
    await expect(state.read()).rejects.toMatchObject({ code: 'BUFFER_DESTROYED' });
    await expect(executable.run([ones(4)])).rejects.toMatchObject({ code: 'BUFFER_DESTROYED' });
    await expect(backend.load(accumulate(4), [state])).rejects.toMatchObject({ code: 'BUFFER_DESTROYED' });

    const pending = other.read();
    pending.catch(() => {});
    await Promise.all([backend.dispose(), backend.dispose()]);
    expect(backend.stats()).toMatchObject({ liveBytes: 0, liveBuffers: 0 });
    expect(() => backend.createBuffer(1)).toThrow(/after dispose/);
    expect(() => other.write(ones(1))).toThrow(/after dispose/);
    await expect(backend.load(accumulate(4), [other])).rejects.toMatchObject({ code: 'BACKEND_DISPOSED' });
    await withBackend(async (again) => {
      const executable = await again.load(accumulate(4), [again.createBuffer(4)]);
      expect(floats((await executable.run([ones(4)]))[1])).toEqual([8]);
    });
  });

  test("another backend's states, and one buffer as two states", () =>
    withBackend(async (backend) => {
      const program = accumulate(4);
      program.buffers[1] = { ...program.buffers[1], storage: { kind: 'state', index: 1 } };
      const state = backend.createBuffer(4);
      await expect(backend.load(program, [state, state])).rejects.toThrow(/'total' and 'step' are the same buffer/);
      await withBackend(async (other) => {
        await expect(backend.load(accumulate(4), [other.createBuffer(4)])).rejects.toThrow(TransfusionError);
      });
    }));
});

describe('device faults', () => {
  /** A backend and the device beneath it. */
  async function openWithDevice(): Promise<{ backend: WebGpuBackend; device: GPUDevice }> {
    let device: GPUDevice | undefined;
    const backend = await openWebGpu({ gpu: gpuWith({ onDevice: (made) => (device = made) }) });
    return { backend, device: device! };
  }

  test('an uncaptured error is thrown by the next await, once', async () => {
    const { backend, device } = await openWithDevice();
    const executable = await backend.load(accumulate(4), [backend.createBuffer(4)]);
    device.createBuffer({ size: 4, usage: 0x3 });
    await expect(executable.run([ones(4)])).rejects.toMatchObject({ code: 'KERNEL_FAILED' });
    // The run that threw was not begun.
    expect(floats((await executable.run([ones(4)]))[0])).toEqual([2, 2, 2, 2]);
    await backend.dispose();
  });

  test('a lost device rejects what is pending and all that follows; another can be opened', async () => {
    const { backend, device } = await openWithDevice();
    const state = backend.createBuffer(4);
    const executable = await backend.load(accumulate(4), [state]);
    const pending = executable.run([ones(4)]).then(
      () => 'finished',
      (error) => error.code,
    );
    device.destroy();
    expect(['finished', 'DEVICE_LOST']).toContain(await pending);
    await device.lost;
    await expect(executable.run([ones(4)])).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    await expect(state.read()).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(() => backend.createBuffer(1)).toThrow(/DEVICE_LOST/);
    await expect(backend.load(accumulate(4), [state])).rejects.toThrow(/continue from the last checkpoint/);
    await backend.dispose();
    await withBackend(async (again) => {
      expect(floats(await again.createBuffer(2).read())).toEqual([0, 0]);
    });
  });
});

describe('limits', () => {
  const MIB = 2 ** 20;
  const small = {
    maxStorageBufferBindingSize: 128 * MIB,
    maxBufferSize: 256 * MIB,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupsPerDimension: 5,
    maxComputeInvocationsPerWorkgroup: 64,
  };
  const openSmall = () => openWebGpu({ gpu: gpuWith({ limits: small }) });

  test('are those of the adapter', () =>
    withBackend(async (backend) => {
      expect(backend.limits).toEqual({
        alignment: expect.any(Number),
        maxArenaBytes: 256 * MIB,
        maxBufferBytes: 128 * MIB,
        maxExpressionInputs: 7,
        f16: expect.any(Boolean),
      });
    }, openSmall));

  test('more workgroups than a dimension has are spread over two', () =>
    withBackend(async (backend) => {
      const elements = 64 * 5 * 3 + 7;
      const executable = await backend.load(accumulate(elements), [backend.createBuffer(elements)]);
      const [scaled, sum] = await executable.run([Float32Array.from({ length: elements }, (_, i) => i)]);
      expect(floats(scaled)).toEqual(Array.from({ length: elements }, (_, i) => 2 * i));
      expect(floats(sum)).toEqual([elements * (elements - 1)]);
    }, openSmall));

  test('what cannot be bound or allocated is refused before anything is', () =>
    withBackend(async (backend) => {
      const before = backend.stats();
      expect(() => backend.createBuffer(32 * MIB + 1)).toThrow(OutOfMemoryError);
      const large = accumulate(40 * MIB);
      large.buffers[0] = { ...large.buffers[0], storage: { kind: 'arena', arena: 0, byteOffset: 0 } };
      const refusal = backend.load(large, []);
      await expect(refusal).rejects.toThrow(OutOfMemoryError);
      await expect(refusal).rejects.toThrow(/'total' needs 160.0 MiB.*at most 128.0 MiB/);
      const arena = { ...accumulate(4), arenaBytes: [300 * MIB] };
      const state = backend.createBuffer(4);
      await expect(backend.load(arena, [state])).rejects.toThrow(/arena 0 needs 300.0 MiB.*at most 256.0 MiB/);
      state.destroy();
      expect(backend.stats()).toEqual(before);
    }, openSmall));

  test('memoryLimitBytes counts everything', () =>
    withBackend(
      async (backend) => {
        const state = backend.createBuffer(MIB / 2);
        expect(() => backend.createBuffer(MIB / 4 + 1)).toThrow(/2.0 MiB of 3.0 MiB are in use/);
        await expect(backend.load(accumulate(MIB / 2), [state])).rejects.toThrow(/most of it/);
      },
      () => openWebGpu({ gpu: navigator.gpu, memoryLimitBytes: 3 * MIB }),
    ));
});

describe('opening', () => {
  const software = gpuWith({ info: { description: 'llvmpipe (LLVM 19)', isFallbackAdapter: true } });
  const hardware = gpuWith({ info: { vendor: 'nvidia', architecture: 'hopper', isFallbackAdapter: false } });

  test('names the adapter and its kind', async () => {
    await withBackend(
      async ({ adapterKind, description }) => {
        expect(adapterKind).toBe('software');
        expect(description).toMatch(/llvmpipe \(LLVM 19\).*software adapter/);
      },
      () => openWebGpu({ gpu: software }),
    );
    await withBackend(
      async ({ adapterKind, description }) => {
        expect(adapterKind).toBe('hardware');
        expect(description).toBe('nvidia hopper through the GPU object given');
      },
      () => openWebGpu({ gpu: hardware, requireGpu: true }),
    );
  });

  test('refuses a software adapter where a GPU is required, and says what was tried', async () => {
    const refusal = openWebGpu({ gpu: software, requireGpu: true });
    await expect(refusal).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await expect(refusal).rejects.toThrow(/has only llvmpipe \(LLVM 19\)/);
    await expect(openWebGpu({ gpu: hardware, adapter: 'software' })).rejects.toThrow(/no software WebGPU adapter/);
    const none = { requestAdapter: async () => null } as unknown as GPU;
    await expect(openWebGpu({ gpu: none })).rejects.toThrow(/has no adapter\n {2}fix: /);
  });
});
