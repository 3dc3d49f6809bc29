import { TransfusionError } from '@transfusion/core';
import { type Backend, type Kernel, OutOfMemoryError, type Program } from '@transfusion/tensor';
import { openWasm } from './index.js';
import { noise, sameBits } from './testing/run-kernel.js';

const opened: Backend[] = [];
async function open(options: Parameters<typeof openWasm>[0] = { threads: 2 }) {
  const backend = await openWasm(options);
  opened.push(backend);
  return backend;
}
afterAll(() => Promise.all(opened.map((backend) => backend.dispose())));

const SIZE = 300;

/** total += sum(silu(x @ w)) of every row, over arenas, constants, an input and a state. */
function smallProgram(): Program {
  const kernels: Kernel[] = [
    {
      ...{ kind: 'matmul', batch: 1, m: SIZE, n: SIZE, k: SIZE, output: 2 },
      a: { buffer: 0, transpose: false, batchStride: 0 },
      b: { buffer: 1, transpose: true, batchStride: 0 },
      epilogue: {
        views: [],
        expression: [
          { op: 'load', input: 0 },
          { op: 'sigmoid', a: 0 },
          { op: 'mul', a: 0, b: 1 },
        ],
      },
    },
    {
      ...{ kind: 'reduce', shape: [SIZE, SIZE], keptRank: 1, op: 'sum', output: 3 },
      inputs: [{ buffer: 2, offset: 0, strides: [SIZE, 1] }],
      expression: [{ op: 'load', input: 0 }],
    },
    {
      ...{ kind: 'elementwise', shape: [SIZE], output: { buffer: 4, offset: 0, strides: [1] } },
      inputs: [3, 4].map((buffer) => ({ buffer, offset: 0, strides: [1] })),
      expression: [
        { op: 'load', input: 0 },
        { op: 'load', input: 1 },
        { op: 'add', a: 0, b: 1 },
      ],
    },
  ];
  const square = SIZE * SIZE;
  return {
    name: 'small',
    buffers: [
      { dtype: 'f32', elements: square, name: 'x', storage: { kind: 'input', index: 0 } },
      { dtype: 'f32', elements: square, name: 'w', storage: { kind: 'constant', data: noise(square, 2) } },
      { dtype: 'f32', elements: square, name: 'y', storage: { kind: 'arena', arena: 0, byteOffset: 0 } },
      { dtype: 'f32', elements: SIZE, name: 'rows', storage: { kind: 'arena', arena: 0, byteOffset: square * 4 } },
      { dtype: 'f32', elements: SIZE, name: 'total', storage: { kind: 'state', index: 0 } },
    ],
    kernels,
    arenaBytes: [(square + SIZE) * 4],
    liveBytes: (square + SIZE) * 4,
    outputs: [2, 4],
    flops: 2 * SIZE ** 3,
  };
}

/** Passes if it rejects or throws with the code. */
async function expectCode(action: () => unknown, code: string) {
  const error = await (async () => action())().catch((reason: unknown) => reason);
  expect(TransfusionError.isInstance(error) && error.code).toBe(code);
}

describe('results', () => {
  test('1, 2 and 3 threads give the same bits', async () => {
    const x = noise(SIZE * SIZE);
    const results: Float32Array[] = [];
    for (const threads of [1, 2, 3]) {
      const backend = await open({ threads });
      const total = backend.createBuffer(SIZE);
      const executable = await backend.load(smallProgram(), [total]);
      for (let i = 0; i < 5; i++) await executable.run([x]);
      const [y, sums] = await executable.run([x]);
      results.push(new Float32Array([...new Float32Array(y), ...new Float32Array(sums)]));
      await backend.dispose();
    }
    expect(results[0].some((value) => Math.abs(value) > 100)).toBe(true);
    expect(results.map((result) => sameBits(result, results[0]))).toEqual([true, true, true]);
  });

  test('200 replays: the state moves on, memory and kernels stay', async () => {
    const backend = await open();
    const total = backend.createBuffer(SIZE);
    const executable = await backend.load(smallProgram(), [total]);
    const x = noise(SIZE * SIZE);
    const [, first] = await executable.run([x]);
    const before = backend.stats();
    for (let i = 0; i < 199; i++) await executable.run([x]);
    expect(backend.stats()).toEqual(before);
    const sums = new Float32Array(await total.read());
    new Float32Array(first).forEach((value, row) => {
      expect(Math.abs(sums[row] / (200 * value) - 1)).toBeLessThan(1e-5);
    });
    executable.dispose();
    total.destroy();
    expect(backend.stats()).toMatchObject({ liveBytes: 0, liveBuffers: 0 });
  });

  test('a profiled run gives the same results, and the time of every kernel', async () => {
    const backend = await open();
    const program = smallProgram();
    const executable = await backend.load(program, [backend.createBuffer(SIZE)]);
    const x = noise(SIZE * SIZE);
    const [expected] = await executable.run([x]);
    const { outputs, spans, clock } = await executable.profile([x]);
    expect(sameBits(new Float32Array(outputs[0]), new Float32Array(expected))).toBe(true);
    expect(new Set(spans.map(({ kernel }) => kernel))).toEqual(new Set(program.kernels.keys()));
    spans.forEach(({ start, end }, i) => {
      expect(end).toBeGreaterThanOrEqual(start);
      expect(start).toBeGreaterThanOrEqual(i === 0 ? 0 : spans[i - 1].end);
    });
    expect(spans.map(({ part }) => part)).toContain('matmul');
    expect(clock).toMatch(/wall clock/);
  });

  test('threads that have nothing to do sleep', async () => {
    const backend = await open({ threads: 3 });
    const executable = await backend.load(smallProgram(), [backend.createBuffer(SIZE)]);
    await executable.run([noise(SIZE * SIZE)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { user, system } = process.cpuUsage(before);
    // Two threads that spun would use 1,000,000 microseconds.
    expect(user + system).toBeLessThan(200_000);
  });

  test('runs, writes and reads happen in the order of the calls', async () => {
    const backend = await open();
    const total = backend.createBuffer(SIZE);
    const executable = await backend.load(smallProgram(), [total]);
    const x = noise(SIZE * SIZE);
    const first = executable.run([x]);
    const read = total.read();
    total.write(new Float32Array(SIZE).fill(1), 0);
    const second = executable.run([x]);
    const [, one] = await first;
    const [, two] = await second;
    expect(new Float32Array(await read)).toEqual(new Float32Array(one));
    expect(new Float32Array(two)).toEqual(new Float32Array(one).map((value) => value + 1));
  });
});

describe('buffers', () => {
  test('are zero at first, even in memory that was used before', async () => {
    const backend = await open();
    const used = backend.createBuffer(1000);
    used.write(noise(1000));
    used.destroy();
    expect(new Float32Array(await backend.createBuffer(1000).read())).toEqual(new Float32Array(1000));
  });

  test('take i32 and f32 at an offset, within their range', async () => {
    const backend = await open();
    const buffer = backend.createBuffer(5);
    buffer.write(Int32Array.of(7, -8), 3);
    expect([...new Int32Array(await buffer.read())]).toEqual([0, 0, 0, 7, -8]);
    expect([...new Int32Array(await buffer.read(2, 4))]).toEqual([0, 7]);
    await expectCode(() => buffer.write(new Float32Array(3), 3), 'BUFFER_RANGE');
    await expectCode(() => buffer.write(new Float32Array(1), -1), 'BUFFER_RANGE');
  });

  test('throw after destroy, and so do programs that use them', async () => {
    const backend = await open();
    const total = backend.createBuffer(SIZE);
    const executable = await backend.load(smallProgram(), [total]);
    total.destroy();
    total.destroy();
    await expectCode(() => total.read(), 'BUFFER_DESTROYED');
    await expectCode(() => total.write(new Float32Array(1)), 'BUFFER_DESTROYED');
    await expectCode(() => executable.run([noise(SIZE * SIZE)]), 'BUFFER_DESTROYED');
    await expectCode(() => backend.load(smallProgram(), [total]), 'BUFFER_DESTROYED');
  });
});

describe('refusals', () => {
  test('inputs of another number, size or type', async () => {
    const backend = await open();
    const executable = await backend.load(smallProgram(), [backend.createBuffer(SIZE)]);
    await expectCode(() => executable.run([]), 'PROGRAM_INPUT_MISMATCH');
    await expectCode(() => executable.run([noise(5)]), 'PROGRAM_INPUT_MISMATCH');
    await expectCode(() => executable.run([new Int32Array(SIZE * SIZE)]), 'PROGRAM_INPUT_MISMATCH');
  });

  test('states of another backend or size', async () => {
    const [backend, other] = [await open(), await open({ threads: 1 })];
    await expectCode(() => backend.load(smallProgram(), [other.createBuffer(SIZE)]), 'PROGRAM_STATE_MISMATCH');
    await expectCode(() => backend.load(smallProgram(), [backend.createBuffer(SIZE - 1)]), 'PROGRAM_STATE_MISMATCH');
    await expectCode(() => backend.load(smallProgram(), []), 'PROGRAM_STATE_MISMATCH');
  });

  test('what does not fit, before anything is allocated', async () => {
    const backend = await open({ threads: 2, maxBytes: 16 * 1024 * 1024 });
    const total = backend.createBuffer(SIZE);
    const before = backend.stats();
    const program = { ...smallProgram(), arenaBytes: [64 * 1024 * 1024] };
    await expect(backend.load(program, [total])).rejects.toThrow(OutOfMemoryError);
    await expect(backend.load(program, [total])).rejects.toThrow(
      /program 'small': arena 0 needs 64\.0 MiB.* at most 16\.0 MiB/,
    );
    expect(() => backend.createBuffer(2 ** 28)).toThrow(OutOfMemoryError);
    expect(backend.stats()).toEqual(before);
  });

  test('anything after dispose, which may be called twice', async () => {
    const backend = await open();
    const total = backend.createBuffer(SIZE);
    const executable = await backend.load(smallProgram(), [total]);
    await backend.dispose();
    await backend.dispose();
    await expectCode(() => executable.run([noise(SIZE * SIZE)]), 'BACKEND_DISPOSED');
    await expectCode(() => total.read(), 'BACKEND_DISPOSED');
    await expectCode(() => backend.createBuffer(1), 'BACKEND_DISPOSED');
    await expectCode(() => backend.load(smallProgram(), [total]), 'BACKEND_DISPOSED');
  });

  test('a program that was disposed', async () => {
    const backend = await open();
    const executable = await backend.load(smallProgram(), [backend.createBuffer(SIZE)]);
    executable.dispose();
    executable.dispose();
    await expectCode(() => executable.run([noise(SIZE * SIZE)]), 'PROGRAM_DISPOSED');
  });

  test('options out of range', async () => {
    await expectCode(() => openWasm({ threads: 0 }), 'BACKEND_OPTIONS');
    await expectCode(() => openWasm({ maxBytes: 2 ** 33 }), 'BACKEND_OPTIONS');
    await expectCode(() => openWasm({ threads: 1, maxBytes: 1000 }), 'BACKEND_OPTIONS');
  });
});

test('memory grows while workers are running, and they see it', async () => {
  const backend = await open();
  const x = noise(SIZE * SIZE);
  let expected: Float32Array | undefined;
  for (let i = 0; i < 12; i++) {
    backend.createBuffer(4 * 1024 * 1024);
    const executable = await backend.load(smallProgram(), [backend.createBuffer(SIZE)]);
    const [y] = await executable.run([x]);
    expected ??= new Float32Array(y);
    expect(sameBits(new Float32Array(y), expected)).toBe(true);
  }
});

test.each([1, 2])('a kernel that traps on %d threads is an error for this run and all later ones', async (threads) => {
  const backend = await open({ threads });
  const elements = 400_000;
  const walksOff: Kernel = {
    ...{ kind: 'elementwise', shape: [elements, 2], output: { buffer: 0, offset: 0, strides: [2, 1] } },
    inputs: [{ buffer: 0, offset: 0, strides: [1, 2 ** 29] }],
    expression: [
      { op: 'load', input: 0 },
      { op: 'neg', a: 0 },
    ],
  };
  const program: Program = {
    ...{ name: 'walks off', kernels: [walksOff], outputs: [], flops: 0, arenaBytes: [elements * 8], liveBytes: 0 },
    buffers: [{ dtype: 'f32', elements: elements * 2, name: 'x', storage: { kind: 'arena', arena: 0, byteOffset: 0 } }],
  };
  const executable = await backend.load(program, []);
  await expectCode(() => executable.run([]), 'KERNEL_FAILED');
  await expectCode(() => executable.run([]), 'DEVICE_LOST');
  await expectCode(() => backend.createBuffer(1), 'DEVICE_LOST');
  await backend.dispose();
  await open({ threads });
});
