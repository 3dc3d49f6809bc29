/**
 * @file Philox 4x32-10 random numbers, output [elements], uniform in [0, 1) or normal (Salmon et al. 2011, "Parallel
 * random numbers: as easy as 1, 2, 3", https://doi.org/10.1145/2063384.2063405). seed: i32 [4], read as u32
 * [key0, key1, counter2, counter3]; elements 4j .. 4j + 3 come from counter (j, stream, counter2, counter3).
 */
import type { RandomKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext } from '../lowering.js';
import { threadDispatch } from './thread-dispatch.js';

/** WGSL has no 32 x 32 -> 64 bit product: the high word is put together from 16-bit halves. */
const PHILOX_WGSL = `
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let low_high = a_low * b_high;
  let high_low = a_high * b_low;
  let middle = ((a_low * b_low) >> 16u) + (low_high & 0xffffu) + (high_low & 0xffffu);
  return a_high * b_high + (low_high >> 16u) + (high_low >> 16u) + (middle >> 16u);
}

fn philox(first_key: vec2u, first_counter: vec4u) -> vec4u {
  var key = first_key;
  var counter = first_counter;
  for (var round = 0u; round < 10u; round++) {
    counter = vec4u(
      multiply_high(0xcd9e8d57u, counter.z) ^ counter.y ^ key.x,
      0xcd9e8d57u * counter.z,
      multiply_high(0xd2511f53u, counter.x) ^ counter.w ^ key.y,
      0xd2511f53u * counter.x,
    );
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}
`;

/**
 * WGSL guarantees its own sin, cos and log to about 2^-11, 2^-11 and 2^-21, absolutely: too coarse for numbers that
 * should agree between devices, and a log above 0 would make the square root NaN. These agree with f64 to a few 2^-24.
 *
 * sin and cos: u is a whole number of 2^-24, so taking off the nearest quarter turn is exact; the rest, within
 * +-pi/4, goes through Taylor polynomials. log: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log(m) = 2 atanh((m-1)/(m+1)).
 */
const NORMAL_WGSL = `
fn cos_sin_of_turns(u: f32) -> vec2f {
  let quarter = floor(u * 4.0 + 0.5);
  let x = (u * 4.0 - quarter) * 1.5707963267948966f;
  let z = x * x;
  let s = x + x * z * (-0.16666667f + z * (8.3333333e-3f + z * (-1.9841270e-4f + z * 2.7557319e-6f)));
  let c = 1.0 + z * (-0.5f + z * (4.1666667e-2f + z * (-1.3888889e-3f + z * (2.4801587e-5f - z * 2.7557319e-7f))));
  switch (u32(quarter) & 3u) {
    case 0u: { return vec2f(c, s); }
    case 1u: { return vec2f(-s, c); }
    case 2u: { return vec2f(-c, -s); }
    default: { return vec2f(s, -c); }
  }
}

fn log_of_unit(x: f32) -> f32 {
  // 0x3f3504f3 are the bits of sqrt(1/2).
  let shifted = bitcast<u32>(x) - 0x3f3504f3u;
  let exponent = f32(bitcast<i32>(shifted) >> 23u);
  let mantissa = bitcast<f32>((shifted & 0x7fffffu) + 0x3f3504f3u);
  let t = (mantissa - 1.0) / (mantissa + 1.0);
  let z = t * t;
  let series = z * (0.33333333f + z * (0.2f + z * (0.14285714f + z * 0.11111111f)));
  return 2.0 * t + (2.0 * t * series + exponent * 0.6931471805599453f);
}

fn box_muller(first: u32, second: u32) -> vec2f {
  let u1 = f32((first >> 8u) + 1u) * 5.9604644775390625e-8f;
  let u2 = f32(second >> 8u) * 5.9604644775390625e-8f;
  return sqrt(max(-2.0 * log_of_unit(u1), 0.0)) * cos_sin_of_turns(u2);
}
`;

/** One thread computes one block: four numbers. */
export function lowerRandom(kernel: RandomKernel, context: LoweringContext): Dispatch[] {
  const { distribution, elements, stream } = kernel;
  const normal = distribution === 'normal';
  const whole = elements % 4 === 0;

  const bindings = new BindingSet(context);
  const seed = bindings.buffer(kernel.seed, 'seed', 'i32');
  const output = bindings.buffer(kernel.output, 'output', whole ? 'vec4f' : 'f32');
  const store = whole
    ? `${output.set('index', 'values')}`
    : `for (var i = 0u; i < min(4u, ${elements}u - index * 4u); i++) { ${output.set('index * 4u + i', 'values[i]')} }`;
  const body = `
  let key = vec2u(u32(${seed.at('0')}), u32(${seed.at('1')}));
  let words = philox(key, vec4u(index, ${stream >>> 0}u, u32(${seed.at('2')}), u32(${seed.at('3')})));
  ${
    normal
      ? 'let values = vec4f(box_muller(words.x, words.y), box_muller(words.z, words.w));'
      : 'let values = vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8f;'
  }
  ${store}`;
  const functions = normal ? PHILOX_WGSL + NORMAL_WGSL : PHILOX_WGSL;
  const count = Math.ceil(elements / 4);
  return [threadDispatch({ label: distribution, count, bindings, body, functions, device: context.device })];
}
