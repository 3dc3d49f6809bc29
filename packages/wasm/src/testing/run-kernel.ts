/** @file For tests: runs one kernel on hand-made buffers, and watches the memory behind its output. */
import type { Backend, HostArray, Kernel, Program, ProgramBuffer } from '@transfusion/tensor';

const GUARD = 12345;
const GUARD_ELEMENTS = 64;

/**
 * A program of `kernels` over buffers given by their contents; a number makes a buffer of that many elements, full of
 * NaN, which is a state with a guard behind it. Returns the contents of buffer `output`, which must be such a one, as f32.
 * @throws if anything was written behind a state.
 */
export async function runKernels(
  backend: Backend,
  kernels: Kernel[],
  contents: (HostArray | number)[],
  output: number,
  outputType: 'f32' | 'i32' = 'f32',
): Promise<Float32Array> {
  const inputs: HostArray[] = [];
  const states = new Map<number, ReturnType<Backend['createBuffer']>>();
  const buffers = contents.map((content, index): ProgramBuffer => {
    const name = `buffer ${index}`;
    if (typeof content !== 'number') {
      const dtype = content instanceof Float32Array ? 'f32' : 'i32';
      const position = inputs.push(content) - 1;
      return { dtype, name, elements: content.length, storage: { kind: 'input', index: position } };
    }
    const state = backend.createBuffer(content + GUARD_ELEMENTS);
    state.write(new Float32Array(content).fill(Number.NaN));
    state.write(new Float32Array(GUARD_ELEMENTS).fill(GUARD), content);
    states.set(index, state);
    const dtype = index === output ? outputType : 'f32';
    return { dtype, name, elements: state.elements, storage: { kind: 'state', index: states.size - 1 } };
  });
  const program: Program = {
    name: kernels[0].kind,
    buffers,
    kernels,
    arenaBytes: [],
    liveBytes: 0,
    outputs: [],
    flops: 0,
  };
  const executable = await backend.load(program, [...states.values()]);
  await executable.run(inputs);
  executable.dispose();
  let result: Float32Array | undefined;
  for (const [index, state] of states) {
    const values = new Float32Array(await state.read());
    const end = contents[index] as number;
    if (values.subarray(end).some((value) => value !== GUARD))
      throw new Error(`buffer ${index}: written behind its end`);
    if (index === output) result = values.slice(0, end);
    state.destroy();
  }
  if (!result) throw new Error(`buffer ${output} is not an output`);
  return result;
}

/** Numbers in (-1, 1) that look random, the same in every run. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >> 0) / 2 ** 31;
  });
}

/** The largest |actual - expected| / (absolute + |expected|), NaN equal to NaN and infinities to themselves. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>, absolute = 1): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, expected ${expected.length}`);
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const error = Math.abs(actual[i] - expected[i]) / (absolute + Math.abs(expected[i]));
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}

/** Whether two arrays have the same bits. (`toEqual` takes a second for a hundred thousand numbers.) */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((array) => new Int32Array(array.buffer, array.byteOffset, array.length));
  return x.length === y.length && x.every((bits, i) => bits === y[i]);
}
