/**
 * @file A WebAssembly module, written byte by byte, of three loops that bound what kernels can do: multiply-adds that touch
 * nothing but registers, loads that do nothing with what they load, and copying. [WebAssembly specification, binary format]
 */

/**
 * Accumulators of the multiply-add loop: more than its latency asks for, fewer than there are registers; twice as many
 * where the engine makes one 256-bit operation of two.
 */
const CHAINS = 12;
/** Vectors that one turn of the reading loop loads. */
const LOADS = 8;

/** Floating-point operations of one turn of `multiplyAdds`. */
export const FLOPS_PER_TURN = CHAINS * 4 * 2;
export const WIDE_FLOPS_PER_TURN = 2 * FLOPS_PER_TURN;
/** Bytes of one turn of `read`, and half of those of `copy`. */
export const BYTES_PER_TURN = LOADS * 16;

const I32 = 0x7f;
const V128 = 0x7b;

/** LEB128 of a whole number from 0. */
function number(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...number(value >>> 7)];
}

const vector = (items: number[][]) => [...number(items.length), ...items.flat()];
const section = (id: number, content: number[]) => [id, ...number(content.length), ...content];
const text = (value: string) => [...number(value.length), ...new TextEncoder().encode(value)];

const get = (local: number) => [0x20, ...number(local)];
const set = (local: number) => [0x21, ...number(local)];
const constant = (value: number) => [0x41, ...number(value)];
const simd = (opcode: number) => [0xfd, ...number(opcode)];
const LOAD = 0;
const STORE = 11;
const XOR = 81;
const EXTRACT_F32 = 31;
const SPLAT_F32 = 19;
const RELAXED_MADD = 261;

/** `loop`, then `body`, then once more while local 0, less `step`, is not zero. */
function countDown(body: number[], step: number): number[] {
  return [0x03, 0x40, ...body, ...get(0), ...constant(step), 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b];
}

/** A function's code: locals of one type, then instructions. */
function code(locals: [count: number, type: number], instructions: number[]): number[] {
  const body = [...vector([[...number(locals[0]), locals[1]]]), ...instructions, 0x0b];
  return [...number(body.length), ...body];
}

/**
 * multiplyAdds(turns): local 0 turns, 1 .. `count` the accumulators, then the two factors. The accumulators are stored side
 * by side, later ones first: there such an engine begins to look for pairs.
 */
function multiplyAdds(count: number): number[] {
  const [x, y] = [count + 1, count + 2];
  const chains = Array.from({ length: count }, (_, i) => i + 1);
  // 0.5 twice: the sums stay finite for as long as anybody waits.
  const half = [0x43, 0, 0, 0, 0x3f];
  const turn = chains.flatMap((chain) => [...get(x), ...get(y), ...get(chain), ...simd(RELAXED_MADD), ...set(chain)]);
  const stores = chains
    .toReversed()
    .flatMap((chain) => [...constant(0), ...get(chain), ...simd(STORE), 4, ...number(16 * (chain - 1))]);
  const prepare = [...half, ...simd(SPLAT_F32), ...set(x), ...half, ...simd(SPLAT_F32), ...set(y)];
  const result = [...get(1), ...simd(EXTRACT_F32), 0];
  return code([count + 2, V128], [...prepare, ...countDown(turn, 1), ...stores, ...result]);
}

/** read(bytes): from the start of memory; local 0 what is left, which is also the address of the end of the part to load. */
function read(): number[] {
  const turn = Array.from({ length: LOADS }, (_, i) => [
    ...get(1),
    ...[...get(0), ...constant(BYTES_PER_TURN), 0x6b],
    ...[...simd(LOAD), 4, ...number(16 * i)],
    ...simd(XOR),
    ...set(1),
  ]).flat();
  return code([1, V128], [...countDown(turn, BYTES_PER_TURN), ...get(1), ...simd(EXTRACT_F32), 0]);
}

/**
 * copy(bytes): as many from the start of memory to what follows them; local 0 what is left, local 1 the distance, locals
 * 2 on what was loaded.
 */
function copy(): number[] {
  const from = [...get(0), ...constant(BYTES_PER_TURN), 0x6b];
  const values = Array.from({ length: LOADS }, (_, i) => i + 2);
  const loads = values.flatMap((value, i) => [...from, ...simd(LOAD), 4, ...number(16 * i), ...set(value)]);
  const to = [...from, ...get(1), 0x6a];
  const stores = values.flatMap((value, i) => [...to, ...get(value), ...simd(STORE), 4, ...number(16 * i)]);
  const locals = vector([
    [1, I32],
    [LOADS, V128],
  ]);
  const end = [...get(2), ...simd(EXTRACT_F32), 0];
  const body = [...locals, ...get(0), ...set(1), ...countDown([...loads, ...stores], BYTES_PER_TURN), ...end, 0x0b];
  return [...number(body.length), ...body];
}

/**
 * Exports multiplyAdds(turns), wideMultiplyAdds(turns), read(bytes) and copy(bytes), which return a number so that nothing is optimised away;
 * imports env.memory.
 */
export function boundsModule(): Uint8Array<ArrayBuffer> {
  const F32 = 0x7d;
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, ...vector([[I32]]), ...vector([[F32]])]])),
    // A shared memory of 1 page at least and 65,536 at most.
    ...section(2, vector([[...text('env'), ...text('memory'), 2, 3, ...number(1), ...number(65_536)]])),
    ...section(3, vector([[0], [0], [0], [0]])),
    ...section(
      7,
      vector([
        [...text('multiplyAdds'), 0, 0],
        [...text('read'), 0, 1],
        [...text('copy'), 0, 2],
        [...text('wideMultiplyAdds'), 0, 3],
      ]),
    ),
    ...section(10, vector([multiplyAdds(CHAINS), read(), copy(), multiplyAdds(2 * CHAINS)])),
  ]);
}
