/**
 * @file Philox 4x32-10 on the host: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011),
 * section 3.3. Counter-based: any number is a pure function of (seed, counters), so nothing has to be saved to resume.
 */
import { TransfusionError } from './errors.js';

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
/** The golden ratio and sqrt(3) - 1, as 32-bit fractions. */
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_TO_MINUS_24 = 2 ** -24;
const TWO_TO_32 = 2 ** 32;

/** The upper 32 bits of the 64-bit product of two u32; partial products of 16-bit halves stay below 2^32. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross0 = aLow * bHigh;
  const cross1 = aHigh * bLow;
  const middle = ((aLow * bLow) >>> 16) + (cross0 & 0xffff) + (cross1 & 0xffff);
  return (aHigh * bHigh + (cross0 >>> 16) + (cross1 >>> 16) + (middle >>> 16)) >>> 0;
}

/**
 * One block of Philox 4x32-10: four u32 words from a counter of four and a key of two u32 words.
 * `output` receives the words if given (no allocation).
 */
export function philox4x32(
  counter: ArrayLike<number>,
  key: ArrayLike<number>,
  output: Uint32Array = new Uint32Array(4),
): Uint32Array {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  output[0] = c0;
  output[1] = c1;
  output[2] = c2;
  output[3] = c3;
  return output;
}

/** A word as a number in [0, 1) with 24 bits. */
function wordToUniform(word: number): number {
  return (word >>> 8) * TWO_TO_MINUS_24;
}

/** The radius of Box-Muller, its uniform shifted into (0, 1] so that the logarithm is finite. */
function boxMullerRadius(word: number): number {
  return Math.sqrt(-2 * Math.log(((word >>> 8) + 1) * TWO_TO_MINUS_24));
}

interface SeededElements {
  /** Bits of [key0, key1, counter2, counter3]. */
  seed: Int32Array;
  /** Separates independent draws that share a seed; u32. */
  stream: number;
  /** How many numbers to draw. */
  elements: number;
}

/** Calls `write` with each block's words, in order. */
function forEachBlock({ seed, stream, elements }: SeededElements, write: (words: Uint32Array, start: number) => void) {
  if (seed.length !== 4) {
    throw new TransfusionError({
      code: 'RANDOM_SEED_SHAPE',
      message: `seed has ${seed.length} elements, expected 4: [key0, key1, counter2, counter3]`,
    });
  }
  const words = new Uint32Array(4);
  const counter = [0, stream, seed[2], seed[3]];
  for (let block = 0; block * 4 < elements; block++) {
    counter[0] = block;
    write(philox4x32(counter, seed, words), block * 4);
  }
}

/** Uniform numbers in [0, 1), as `RandomKernel` defines them: the oracle of every backend. */
export function uniforms(options: SeededElements): Float32Array {
  const output = new Float32Array(options.elements);
  forEachBlock(options, (words, start) => {
    for (let i = 0; i < 4 && start + i < output.length; i++) output[start + i] = wordToUniform(words[i]);
  });
  return output;
}

/** Standard normal numbers, as `RandomKernel` defines them, computed in f64 and rounded to f32. */
export function normals(options: SeededElements): Float32Array {
  const output = new Float32Array(options.elements);
  forEachBlock(options, (words, start) => {
    for (let pair = 0; pair < 4; pair += 2) {
      const radius = boxMullerRadius(words[pair]);
      const angle = 2 * Math.PI * wordToUniform(words[pair + 1]);
      if (start + pair < output.length) output[start + pair] = radius * Math.cos(angle);
      if (start + pair + 1 < output.length) output[start + pair + 1] = radius * Math.sin(angle);
    }
  });
  return output;
}

/**
 * A sequence of random numbers that is a pure function of (seed, counters): two streams whose counters differ are
 * independent. Blocks are numbered by the first counter word; up to three `counters` (u32) fill the other words.
 */
export class PhiloxStream {
  readonly #key: [number, number];
  readonly #counter: [number, number, number, number];
  readonly #words = new Uint32Array(4);
  #nextWord = 4;
  #spareNormal: number | undefined;

  /**
   * @param seed an integer in [0, 2^53)
   * @param counters for example a purpose, a step and an index; each an integer in [0, 2^32)
   */
  constructor(seed: number, ...counters: number[]) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new TransfusionError({
        code: 'RANDOM_SEED_RANGE',
        message: `seed is ${seed}, expected an integer from 0 to 2^53 - 1`,
      });
    }
    const bad = counters.find((counter) => !Number.isInteger(counter) || counter < 0 || counter >= TWO_TO_32);
    if (counters.length > 3 || bad !== undefined) {
      throw new TransfusionError({
        code: 'RANDOM_COUNTER_RANGE',
        message: `counters are [${counters.join(', ')}], expected at most 3 integers from 0 to 2^32 - 1`,
      });
    }
    this.#key = [seed % TWO_TO_32, Math.floor(seed / TWO_TO_32)];
    this.#counter = [0, counters[0] ?? 0, counters[1] ?? 0, counters[2] ?? 0];
  }

  /** The next 32 random bits. */
  word(): number {
    if (this.#nextWord === 4) {
      philox4x32(this.#counter, this.#key, this.#words);
      this.#counter[0]++;
      this.#nextWord = 0;
    }
    return this.#words[this.#nextWord++];
  }

  /** Uniform in [0, 1), a multiple of 2^-24: exact in f32. */
  uniform(): number {
    return wordToUniform(this.word());
  }

  /** Standard normal, in f64; the sequence is that of `normals` as long as nothing else is drawn between. */
  normal(): number {
    const spare = this.#spareNormal;
    if (spare !== undefined) {
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = boxMullerRadius(this.word());
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A uniform integer in [0, n), n in [1, 2^32]. Unbiased: words of the incomplete last multiple of n are redrawn. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_TO_32) {
      throw new TransfusionError({
        code: 'RANDOM_INTEGER_RANGE',
        message: `integer(n): n is ${n}, expected an integer from 1 to 2^32`,
      });
    }
    const limit = TWO_TO_32 - (TWO_TO_32 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** Shuffles in place (Fisher-Yates); every order is equally likely. Returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const item = items[i];
      items[i] = items[j];
      items[j] = item;
    }
    return items;
  }
}
