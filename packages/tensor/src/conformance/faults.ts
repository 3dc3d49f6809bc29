/**
 * @file What every backend has to refuse, and how: the same code and the same words, whatever found the fault. For a backend
 * that has no f16, or was opened without it.
 */
import { compile, f32 } from '../compiler/compile.js';
import { TransfusionError } from '../errors.js';
import type { Backend, DeviceBuffer, Executable, HostArray } from '../program/backend.js';
import type { BufferStorage, Program, ProgramBuffer } from '../program/program.js';

/** Opens another backend of the kind under test. @param options.memoryBytes the most that it may use */
export type OpenBackend = (options?: { memoryBytes?: number }) => Promise<Backend>;

export interface FaultCase {
  name: string;
  code: string;
  /** Of what a person reads, the code left out. */
  message: RegExp;
  /** Commits the fault. Other backends that it opens it disposes. */
  provoke(backend: Backend, open: OpenBackend): unknown;
}

const ELEMENTS = 4;
const MIB = 2 ** 20;

const buffer = (name: string, storage: BufferStorage, changes: Partial<ProgramBuffer> = {}): ProgramBuffer => ({
  ...{ dtype: 'f32', elements: ELEMENTS, name, storage },
  ...changes,
});

/** total += step, twice of it in scratch memory and out. */
function sample(changes: Partial<Program> = {}): Program {
  const view = (index: number) => ({ buffer: index, offset: 0, strides: [1] });
  const sum = [
    { op: 'load', input: 0 },
    { op: 'load', input: 1 },
    { op: 'add', a: 0, b: 1 },
  ] as const;
  return {
    name: 'sample',
    buffers: [
      buffer('total', { kind: 'state', index: 0 }),
      buffer('step', { kind: 'input', index: 0 }),
      buffer('twice', { kind: 'arena', arena: 0, byteOffset: 0 }),
    ],
    kernels: [
      { kind: 'elementwise', shape: [ELEMENTS], inputs: [view(0), view(1)], output: view(0), expression: [...sum] },
      { kind: 'elementwise', shape: [ELEMENTS], inputs: [view(0), view(0)], output: view(2), expression: [...sum] },
    ],
    arenaBytes: [4096],
    liveBytes: 4 * ELEMENTS,
    outputs: [2],
    flops: 0,
    ...changes,
  };
}

/** The sample with another buffer in the place of one of its own. */
function sampleWith(index: number, changed: Partial<ProgramBuffer>): Program {
  const program = sample();
  program.buffers[index] = { ...program.buffers[index], ...changed };
  return program;
}

/** Two states instead of a state and an input. */
function twoStates(): Program {
  return sampleWith(1, { storage: { kind: 'state', index: 1 } });
}

const step = () => new Float32Array(ELEMENTS).fill(1);

/** Loads a program with states of the right sizes, uses it, and frees everything. */
async function withLoaded<T>(
  backend: Backend,
  use: (loaded: { executable: Executable; state: DeviceBuffer }) => T | Promise<T>,
  program = sample(),
): Promise<T> {
  const states = program.buffers
    .filter(({ storage }) => storage.kind === 'state')
    .map(({ elements }) => backend.createBuffer(elements));
  let executable: Executable | undefined;
  try {
    executable = await backend.load(program, states);
    return await use({ executable, state: states[0] });
  } finally {
    executable?.dispose();
    for (const state of states) state.destroy();
  }
}

async function withOther<T>(open: () => Promise<Backend>, use: (other: Backend) => T | Promise<T>): Promise<T> {
  const other = await open();
  try {
    return await use(other);
  } finally {
    await other.dispose();
  }
}

const run = (inputs: unknown[]) => (backend: Backend) =>
  withLoaded(backend, ({ executable }) => executable.run(inputs as HostArray[]));
const load = (program: (backend: Backend) => Program) => (backend: Backend) =>
  withLoaded(backend, () => {}, program(backend));
const write = (elements: number, offset: number) => (backend: Backend) =>
  withLoaded(backend, ({ state }) => state.write(new Float32Array(elements), offset));

/** Uses a backend that was disposed. */
const afterDispose =
  (use: (disposed: { backend: Backend; executable: Executable; state: DeviceBuffer }) => unknown) =>
  async (_: Backend, open: OpenBackend) => {
    const backend = await open();
    const state = backend.createBuffer(ELEMENTS);
    const executable = await backend.load(sample(), [state]);
    await backend.dispose();
    await use({ backend, executable, state });
  };

const SIZE = /^createBuffer\(.*\): a buffer has a whole number of elements, at least 1\n/;
const DISPOSED = /^the \w+ backend was used after dispose\(\)\n {2}fix: open another backend$/;
const DESTROYED = /^a buffer of 4 elements was used after destroy\(\)\n/;
const UNBOUND = /^program 'sample': state 0 was not created by this backend\n/;

export const faultCases: readonly FaultCase[] = [
  ...[0, -1, 1.5, Number.NaN].map((elements) => ({
    name: `a buffer of ${elements} elements`,
    code: 'BUFFER_SIZE',
    message: SIZE,
    provoke: (backend: Backend) => backend.createBuffer(elements),
  })),
  {
    name: 'a buffer that is larger than any may be',
    code: 'OUT_OF_MEMORY',
    message: /^a buffer of \d+ elements needs [\d.]+ [MG]iB; a buffer of this backend has at most [\d.]+ [MG]iB\n/,
    provoke: (backend) => backend.createBuffer(Math.floor(backend.limits.maxBufferBytes / 4) + 1),
  },
  {
    name: 'more buffers than memory holds',
    code: 'OUT_OF_MEMORY',
    message:
      /^a buffer of 6291456 elements needs 24\.0 MiB \(.*\); \d+\.\d MiB of \d+\.\d MiB are in use\n {2}fix: .*dispose/,
    provoke: (_, open) =>
      withOther(
        () => open({ memoryBytes: 64 * MIB }),
        (small) => {
          for (let i = 0; i < 3; i++) small.createBuffer(6 * MIB);
        },
      ),
  },
  ...[0, -1].map((memoryBytes) => ({
    name: `a backend of ${memoryBytes} bytes`,
    code: 'BACKEND_OPTIONS',
    message: /^open\w+: \w+ is -?\d, but must be above 0/,
    provoke: (_: Backend, open: OpenBackend) =>
      withOther(
        () => open({ memoryBytes }),
        () => {},
      ),
  })),
  ...[
    { elements: ELEMENTS + 1, offset: 0 },
    { elements: 2, offset: 3 },
    { elements: 1, offset: -1 },
    { elements: 1, offset: 0.5 },
  ].map(({ elements, offset }) => ({
    name: `a write of ${elements} elements at ${offset}`,
    code: 'BUFFER_RANGE',
    message: /^write\(\): elements -?[\d.]+ to [\d.]+ of a buffer that has 4\n/,
    provoke: write(elements, offset),
  })),
  ...[
    [0, ELEMENTS + 1],
    [2, 2],
    [-1, 2],
    [0.5, 2],
  ].map(([begin, end]) => ({
    name: `a read of elements ${begin} to ${end}`,
    code: 'BUFFER_RANGE',
    message: /^read\(\): elements -?[\d.]+ to [\d.]+ of a buffer that has 4\n/,
    provoke: (backend: Backend) => withLoaded(backend, ({ state }) => state.read(begin, end)),
  })),
  {
    name: 'a write to a buffer that was destroyed',
    code: 'BUFFER_DESTROYED',
    message: DESTROYED,
    provoke(backend) {
      const destroyed = backend.createBuffer(ELEMENTS);
      destroyed.destroy();
      destroyed.write(step());
    },
  },
  {
    name: 'a read of a buffer that was destroyed',
    code: 'BUFFER_DESTROYED',
    message: DESTROYED,
    provoke(backend) {
      const destroyed = backend.createBuffer(ELEMENTS);
      destroyed.destroy();
      return destroyed.read();
    },
  },
  {
    name: 'a run whose state was destroyed',
    code: 'BUFFER_DESTROYED',
    message: DESTROYED,
    provoke: (backend) =>
      withLoaded(backend, ({ executable, state }) => {
        state.destroy();
        return executable.run([step()]);
      }),
  },
  {
    name: 'a program loaded with a state that was destroyed',
    code: 'BUFFER_DESTROYED',
    message: DESTROYED,
    provoke(backend) {
      const destroyed = backend.createBuffer(ELEMENTS);
      destroyed.destroy();
      return backend.load(sample(), [destroyed]);
    },
  },
  {
    name: 'a missing input',
    code: 'PROGRAM_INPUT_MISMATCH',
    message: /^program 'sample': 0 inputs were given, the program takes 1\n/,
    provoke: run([]),
  },
  {
    name: 'an input too many',
    code: 'PROGRAM_INPUT_MISMATCH',
    message: /^program 'sample': 2 inputs were given, the program takes 1\n/,
    provoke: run([step(), step()]),
  },
  {
    name: 'an input of another size',
    code: 'PROGRAM_INPUT_MISMATCH',
    message: /^program 'sample': input 0 \('step'\) takes a Float32Array of 4, but a Float32Array of 5 was given\n/,
    provoke: run([new Float32Array(ELEMENTS + 1)]),
  },
  {
    name: 'an input of another type',
    code: 'PROGRAM_INPUT_MISMATCH',
    message: /^program 'sample': input 0 \('step'\) takes a Float32Array of 4, but a Int32Array of 4 was given\n/,
    provoke: run([new Int32Array(ELEMENTS)]),
  },
  {
    name: 'no input where there should be one',
    code: 'PROGRAM_INPUT_MISMATCH',
    message: /^program 'sample': input 0 \('step'\) takes a Float32Array of 4, but nothing was given\n/,
    provoke: run([undefined]),
  },
  {
    name: 'an input that the function does not have',
    code: 'TENSOR_INPUT',
    message: /^doubled: input 'y' is not an input\n {2}fix: the inputs are x$/,
    async provoke(backend) {
      const options = { backend, name: 'doubled', inputs: { x: f32(2) } };
      const doubled = await compile({ ...options, fn: ({ x }) => ({ outputs: { y: x.mul(2) } }) });
      const given = { x: new Float32Array(2), y: new Float32Array(2) };
      await doubled.run(given).finally(() => doubled.dispose());
    },
  },
  {
    name: 'a missing state',
    code: 'PROGRAM_STATE_MISMATCH',
    message: /^program 'sample': state 0 \('total'\) has 4 elements, no buffer was given for it\n/,
    provoke: (backend) => backend.load(sample(), []),
  },
  ...[ELEMENTS - 1, ELEMENTS + 1].map((elements) => ({
    name: `a state of ${elements} elements for one of ${ELEMENTS}`,
    code: 'PROGRAM_STATE_MISMATCH',
    message: /^program 'sample': state 0 \('total'\) has 4 elements, the buffer given for it has [35]\n/,
    async provoke(backend: Backend) {
      const state = backend.createBuffer(elements);
      await backend.load(sample(), [state]).finally(() => state.destroy());
    },
  })),
  {
    name: 'a state of another backend',
    code: 'PROGRAM_STATE_MISMATCH',
    message: UNBOUND,
    provoke: (backend, open) => withOther(open, (other) => backend.load(sample(), [other.createBuffer(ELEMENTS)])),
  },
  {
    name: 'a state that is no buffer',
    code: 'PROGRAM_STATE_MISMATCH',
    message: UNBOUND,
    provoke: (backend) => backend.load(sample(), [{ elements: ELEMENTS } as DeviceBuffer]),
  },
  {
    name: 'one buffer as two states',
    code: 'PROGRAM_STATE_MISMATCH',
    message: /^program 'sample': states 'total' and 'step' are the same buffer\n/,
    async provoke(backend) {
      const state = backend.createBuffer(ELEMENTS);
      await backend.load(twoStates(), [state, state]).finally(() => state.destroy());
    },
  },
  ...[
    { name: 'behind its arena', storage: { kind: 'arena', arena: 0, byteOffset: 4096 } as const },
    { name: 'in an arena that is not there', storage: { kind: 'arena', arena: 1, byteOffset: 0 } as const },
    { name: 'off the alignment', storage: { kind: 'arena', arena: 0, byteOffset: 4 } as const },
  ].map(({ name, storage }) => ({
    name: `a buffer ${name}`,
    code: 'PROGRAM_INVALID',
    message: /^program 'sample': 'twice' has 16 bytes at byte \d+ of arena [01], which has (4096|0); buffers begin at/,
    provoke: load(() => sampleWith(2, { storage })),
  })),
  {
    name: 'a kernel over a buffer that is not there',
    code: 'PROGRAM_INVALID',
    message: /^program 'sample': 'indices' of a gather kernel is buffer 7 of 3\n/,
    provoke: load(() =>
      sample({
        kernels: [{ kind: 'gather', table: 0, indices: 7, output: 2, rows: 1, tableRows: 1, width: ELEMENTS }],
      }),
    ),
  },
  {
    name: 'arithmetic on whole numbers',
    code: 'PROGRAM_INVALID',
    message: /^program 'sample': expression, register 2 \(add\): operand 1 is i32, must be f32\n/,
    provoke: load(() => sampleWith(1, { dtype: 'i32' })),
  },
  {
    name: 'a result of another type than its buffer',
    code: 'PROGRAM_INVALID',
    message: /^program 'sample': expression, register 2 \(add\): register 2 is f32, must be i32\n/,
    provoke: load(() => sampleWith(2, { dtype: 'i32' })),
  },
  {
    name: 'an expression of too many buffers',
    code: 'PROGRAM_INVALID',
    message: /^program 'sample': an expression reads \d+ buffers; this backend allows \d+\n/,
    provoke: load(({ limits }) => {
      const program = sample();
      const count = limits.maxExpressionInputs + 1;
      const inputs = Array.from({ length: count }, (_, i) => ({ buffer: 3 + i, offset: 0, strides: [1] }));
      const storage = { kind: 'constant', data: step() } as const;
      const output = { buffer: 2, offset: 0, strides: [1] };
      const expression = [{ op: 'load', input: 0 } as const];
      return {
        ...program,
        buffers: [...program.buffers, ...inputs.map((_, i) => buffer(`constant ${i}`, storage))],
        kernels: [{ kind: 'elementwise', shape: [ELEMENTS], inputs, output, expression }],
      };
    }),
  },
  {
    name: 'a program with a buffer that is too large',
    code: 'OUT_OF_MEMORY',
    message: /^program 'sample': 'step' needs [\d.]+ [MG]iB; a buffer of this backend has at most [\d.]+ [MG]iB\n/,
    provoke: load(({ limits }) => sampleWith(1, { elements: Math.floor(limits.maxBufferBytes / 4) + 1 })),
  },
  {
    name: 'a program with an arena that is too large',
    code: 'OUT_OF_MEMORY',
    message: /^program 'sample': arena 0 needs [\d.]+ [MG]iB; an arena of this backend has at most [\d.]+ [MG]iB\n/,
    provoke: load(({ limits }) => sample({ arenaBytes: [limits.maxArenaBytes + limits.alignment] })),
  },
  {
    name: 'f16 where there is none',
    code: 'PRECISION_UNSUPPORTED',
    message: /^program 'sample': precision 'f16' was asked for, but \w+ \(.*\) has no f16\n/,
    provoke: load(() => sampleWith(2, { dtype: 'f16' })),
  },
  {
    name: 'a function compiled in f16 where there is none',
    code: 'PRECISION_UNSUPPORTED',
    message: /^halved: precision 'f16' was asked for, but \w+ \(.*\) has no f16\n/,
    provoke: (backend) =>
      compile({
        ...{ backend, name: 'halved', precision: 'f16', inputs: { x: f32(2) } },
        fn: ({ x }) => ({ outputs: { y: x.mul(0.5) } }),
      }),
  },
  ...(['run', 'profile'] as const).map((method) => ({
    name: `a ${method} of a program that was disposed`,
    code: 'PROGRAM_DISPOSED',
    message: /^program 'sample' was run after dispose\(\)\n {2}fix: load the program again$/,
    provoke: (backend: Backend) =>
      withLoaded<unknown>(backend, ({ executable }) => {
        executable.dispose();
        return executable[method]([step()]);
      }),
  })),
  ...Object.entries({
    'a buffer': afterDispose(({ backend }) => backend.createBuffer(1)),
    'a write': afterDispose(({ state }) => state.write(step())),
    'a read': afterDispose(({ state }) => state.read()),
    'a program': afterDispose(({ backend, state }) => backend.load(sample(), [state])),
    'a run': afterDispose(({ executable }) => executable.run([step()])),
    'a profile': afterDispose(({ executable }) => executable.profile([step()])),
  }).map(([what, provoke]) => ({
    name: `${what} of a backend that was disposed`,
    code: 'BACKEND_DISPOSED',
    message: DISPOSED,
    provoke,
  })),
];

export interface FaultReport {
  code: string;
  message: string;
  /** What the fault left behind, and whether the backend still computes. */
  leakedBytes: number;
  leakedBuffers: number;
  works: boolean;
}

/** Commits a fault and tells what the backend said; undefined where it said nothing. */
export async function reportFault(
  backend: Backend,
  faultCase: FaultCase,
  open: OpenBackend,
): Promise<FaultReport | undefined> {
  const before = backend.stats();
  let error: unknown;
  try {
    await faultCase.provoke(backend, open);
    return undefined;
  } catch (thrown) {
    error = thrown;
  }
  if (!TransfusionError.isInstance(error)) throw error;
  const after = backend.stats();
  const twice = await withLoaded(
    backend,
    async ({ executable }) => new Float32Array((await executable.run([step()]))[0]),
  );
  return {
    code: error.code,
    message: error.message.slice(error.code.length + 2),
    leakedBytes: after.liveBytes - before.liveBytes,
    leakedBuffers: after.liveBuffers - before.liveBuffers,
    works: twice.length === ELEMENTS && twice.every((value) => value === 2),
  };
}
