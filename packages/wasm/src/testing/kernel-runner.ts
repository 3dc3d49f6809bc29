/**
 * @file Runs one-kernel programs for the kernels' tests: on two threads, on one with wide register tiles, and with plain SIMD.
 */
import type { Backend, HostArray, Kernel, Program, ProgramBuffer } from '@transfusion/tensor';
import { openWasm } from '../index.js';

// Looked up once: globals are slow inside jest's contexts.
const { abs, fround } = Math;
const { is } = Object;

/** Elements behind every written buffer that no kernel may touch, and what they hold. */
const GUARD = 16;
const SENTINEL = -12345.678;

export interface KernelRun<Name extends string> {
  /** Operands the kernel reads. One that is also named in `outputs` is worked on in place. */
  inputs: Partial<Record<Name, HostArray>>;
  /** Operands the kernel writes, and their numbers of elements. */
  outputs: Partial<Record<Name, number>>;
  /** The kernel over the operands' buffer numbers. */
  kernel(buffers: Record<Name, number>): Kernel;
}

export type Results = Record<string, Float32Array>;

function prepare<Name extends string>({ inputs, outputs, kernel }: KernelRun<Name>) {
  const buffers: ProgramBuffer[] = [];
  const arrays: HostArray[] = [];
  const numbers = {} as Record<Name, number>;
  for (const name of new Set([...Object.keys(inputs), ...Object.keys(outputs)] as Name[])) {
    const input = inputs[name];
    const written = outputs[name];
    let array = input ?? new Float32Array(0);
    if (written !== undefined) {
      const guarded = new Float32Array(written + GUARD).fill(SENTINEL);
      if (input) guarded.set(input);
      array = guarded;
    }
    numbers[name] = buffers.length;
    const dtype = array instanceof Float32Array ? 'f32' : 'i32';
    buffers.push({ dtype, elements: array.length, storage: { kind: 'input', index: arrays.length }, name });
    arrays.push(array);
  }
  const names = Object.keys(outputs) as Name[];
  const program: Program = {
    name: 'test',
    buffers,
    kernels: [kernel(numbers)],
    arenaBytes: [],
    liveBytes: 0,
    outputs: names.map((name) => numbers[name]),
    flops: 0,
  };
  return { program, arrays, names };
}

/** Runs the kernel; throws if it wrote behind an output. */
export async function runKernel<Name extends string>(backend: Backend, run: KernelRun<Name>): Promise<Results> {
  const { program, arrays, names } = prepare(run);
  const executable = await backend.load(program, []);
  const contents = await executable.run(arrays);
  executable.dispose();
  const results: Results = {};
  const sentinel = fround(SENTINEL);
  names.forEach((name, index) => {
    const values = new Float32Array(contents[index]);
    const elements = values.length - GUARD;
    if (values.subarray(elements).some((value) => value !== sentinel)) {
      throw new Error(`the kernel wrote behind the end of ${name}`);
    }
    results[name] = values.slice(0, elements);
  });
  return results;
}

export interface Tolerance {
  /** Allowed difference, absolute, plus `relative` times the expected magnitude. */
  absolute?: number;
  relative?: number;
}

/** Fails the test where an element differs from its f64 reference by more than the tolerance. */
export function expectClose(
  name: string,
  actual: Float32Array,
  expected: ArrayLike<number>,
  { absolute = 1e-6, relative = 1e-5 }: Tolerance,
): void {
  expect([name, actual.length]).toEqual([name, expected.length]);
  for (let i = 0; i < actual.length; i++) {
    const difference = abs(actual[i] - expected[i]);
    if (difference <= absolute + relative * abs(expected[i]) || is(actual[i], fround(expected[i]))) continue;
    throw new Error(`${name}[${i}] is ${actual[i]}, but should be ${expected[i]}`);
  }
}

export interface KernelRunner {
  /** Two threads with fused multiply-adds, for tests that look at the results themselves. */
  run<Name extends string>(run: KernelRun<Name>): Promise<Results>;
  /**
   * Checks the outputs named in `expected` with narrow register tiles on two threads and wide ones on one thread, which must
   * agree in every bit, and without fused multiply-adds.
   */
  check<Name extends string>(
    run: KernelRun<Name>,
    expected: Partial<Record<Name, ArrayLike<number>>>,
    tolerance?: Tolerance,
  ): Promise<void>;
}

/** Opens the backends before a file's tests and closes them afterwards. */
export function useKernelRunner(): KernelRunner {
  let one: Backend;
  let two: Backend;
  let plain: Backend;
  beforeAll(async () => {
    one = await openWasm({ threads: 1, wide: 'always' });
    two = await openWasm({ threads: 2, wide: false });
    plain = await openWasm({ threads: 2, fusedMultiplyAdd: false });
  });
  afterAll(async () => {
    await one.dispose();
    await two.dispose();
    await plain.dispose();
  });
  return {
    run: (run) => runKernel(two, run),
    async check(run, expected, tolerance = {}) {
      const results = await runKernel(two, run);
      const unfused = await runKernel(plain, run);
      for (const [name, values] of Object.entries<ArrayLike<number>>(expected as Record<string, ArrayLike<number>>)) {
        expectClose(name, results[name], values, tolerance);
        expectClose(`${name} (plain SIMD)`, unfused[name], values, tolerance);
      }
      const alone = await runKernel(one, run);
      for (const name of Object.keys(results)) {
        // Not toEqual: it would take seconds on large arrays.
        expect([name, bits(alone[name]).equals(bits(results[name]))]).toEqual([name, true]);
      }
    },
  };
}

function bits(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}
