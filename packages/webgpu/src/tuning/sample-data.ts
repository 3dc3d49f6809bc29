/** @file WGSL that fills buffers to measure with, and that compares two results on the device. */
import type { Expression } from '@transfusion/tensor';

const LANES = 64;
/** Invocations stride over a buffer of any size. */
export const SAMPLE_WORKGROUPS = 256;

const header = `@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u)`;
const words = (array: string) => `for (var i = id.x; i < arrayLength(&${array}); i += groups.x * ${LANES}u)`;

/** Words that are NaN as f32 and as two f16: an element left out shows. */
const NAN_WORD = '0x7fc07e00u';

export function poisonWgsl(): string {
  return `@group(0) @binding(0) var<storage, read_write> data: array<u32>;
${header} { ${words('data')} { data[i] = ${NAN_WORD}; } }`;
}

/** Uniform numbers in [-1, 1), others for each seed (PCG hash of the position). */
export function fillWgsl(type: 'f32' | 'f16', seed: number): string {
  const value =
    type === 'f16' ? 'pack2x16float(vec2f(number(2u * i), number(2u * i + 1u)))' : 'bitcast<u32>(number(i))';
  return `@group(0) @binding(0) var<storage, read_write> data: array<u32>;
fn number(i: u32) -> f32 {
  let state = (i + ${seed}u * 0x9e3779b9u) * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return f32(((word >> 22u) ^ word) >> 8u) / 8388608.0f - 1.0f;
}
${header} { ${words('data')} { data[i] = ${value}; } }`;
}

/** Integers that count up from `first`, again after every `period`. */
export function countWgsl({ first, period }: { first: number; period: number }): string {
  return `@group(0) @binding(0) var<storage, read_write> data: array<u32>;
${header} { ${words('data')} { data[i] = ${first}u + i % ${period}u; } }`;
}

/**
 * Counts the elements in which two buffers differ by more than `tolerance` of max(1, |expected|). NaN equals NaN.
 * @param options.count which of the counts is increased
 */
export function compareWgsl(options: { type: 'f32' | 'f16'; tolerance: number; count: number }): string {
  const { type, tolerance, count } = options;
  const compare =
    type === 'f16'
      ? `let x = unpack2x16float(actual[i]); let y = unpack2x16float(expected[i]);
    found += select(0u, 1u, differ(x.x, y.x)) + select(0u, 1u, differ(x.y, y.y));`
      : 'found += select(0u, 1u, differ(bitcast<f32>(actual[i]), bitcast<f32>(expected[i])));';
  return `@group(0) @binding(0) var<storage, read_write> actual: array<u32>;
@group(0) @binding(1) var<storage, read_write> expected: array<u32>;
@group(0) @binding(2) var<storage, read_write> differences: array<atomic<u32>>;
fn magnitude(x: f32) -> u32 { return bitcast<u32>(x) & 0x7fffffffu; }
fn differ(x: f32, y: f32) -> bool {
  if (max(magnitude(x), magnitude(y)) >= 0x7f800000u) {
    let are_nan = min(magnitude(x), magnitude(y)) > 0x7f800000u;
    return !are_nan && bitcast<u32>(x) != bitcast<u32>(y);
  }
  return abs(x - y) > ${tolerance.toExponential(3)}f * max(1.0f, abs(y));
}
${header} {
  var found = 0u;
  ${words('actual')} {
    ${compare}
  }
  if (found > 0u) { atomicAdd(&differences[${count}], found); }
}`;
}

/**
 * What sums of `k` products of such numbers may differ by when they are added in another order: far more than f32 does,
 * far less than products in f16 or of shortened mantissas would.
 */
export function sumTolerance(type: 'f32' | 'f16', k: number): number {
  return (type === 'f16' ? 4e-3 : 5e-5) + 4e-6 * Math.sqrt(k);
}

/** Operations that turn small differences into large ones somewhere. */
const STEEP = new Set<string>([
  ...['less', 'lessEqual', 'equal', 'notEqual', 'floor', 'toInt', 'select'],
  ...['log', 'sqrt', 'rsqrt', 'reciprocal', 'div', 'pow', 'exp'],
]);

/** The part of the elements that may differ by more, as an epilogue has steep places. */
export function toleratedPart(epilogue: Expression | undefined): number {
  return epilogue?.some(({ op }) => STEEP.has(op)) ? 1e-3 : 0;
}
