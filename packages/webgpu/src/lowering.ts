/**
 * @file What a kernel is lowered to: WGSL dispatches. All sizes are constants of the WGSL, because programs are
 * specialised to their shapes; equal code strings share one pipeline, so equal layers compile once.
 *
 * Every storage binding is `read_write`: program buffers are ranges of a few arenas, and WebGPU forbids using one
 * GPUBuffer both read-only and read-write in a dispatch. It also forbids overlapping writable bindings, so a buffer that
 * appears twice in a kernel must be bound once: `BindingSet` sees to that.
 */
import type { DType } from '@transfusion/tensor';
import type { MatrixOrderForm, SubgroupMatrixConfig } from './kernels/products/subgroup-matrix-wgsl.js';
import type { BlockRange } from './runtime/memory-plan.js';

/**
 * A program buffer by its position in `Program.buffers`; scratch memory by the number `LoweringContext.scratch` gave; a part of a
 * block of memory; or numbers that never change.
 */
export type Binding =
  | { buffer: number }
  | { scratch: number }
  | { window: BlockRange }
  | { table: Uint32Array<ArrayBuffer> };

export interface Dispatch {
  /** For profiles. */
  label: string;
  /** Complete WGSL; entry point `main`; bindings `@group(0) @binding(i)` in the order of `bindings`. */
  code: string;
  bindings: Binding[];
  workgroups: [number, number, number];
}

/** What a lowering may know about the device. */
export interface LoweringDevice {
  maxWorkgroupsPerDimension: number;
  maxInvocationsPerWorkgroup: number;
  maxWorkgroupStorageBytes: number;
  /** Storage buffers one dispatch can bind. */
  maxStorageBuffers: number;
  subgroups: boolean;
  subgroupMinSize: number;
  subgroupMaxSize: number;
  /** Products of small matrices that subgroups compute, and how WGSL spells them; absent where there are none. */
  subgroupMatrices?: { configs: SubgroupMatrixConfig[]; orderForm: MatrixOrderForm };
  /** Whether storage arrays are declared with their length, as is best where each index is checked against it. */
  sizedArrays: boolean;
  /** A CPU behind a Vulkan driver: lanes are SIMD elements, barriers are costly and workgroup memory buys nothing. */
  software: boolean;
}

export interface LoweringContext {
  elements(buffer: number): number;
  /** What kernels compute with. */
  dtype(buffer: number): DType;
  /** Whether the memory holds f16, which kernels read as f32 (`BindingSet` sees to that). */
  isHalf(buffer: number): boolean;
  /**
   * Memory for this kernel's own dispatches; undefined contents, gone afterwards. Several ranges of one kernel do not
   * overlap. Bind it with `{ scratch: number }`.
   */
  scratch(bytes: number): number;
  /** Bytes of the scratch memory of that number. */
  scratchBytes(scratch: number): number;
  readonly device: LoweringDevice;
}

/** WGSL types that a kernel computes with an element of a storage array as; the memory may hold f16 instead of f32. */
export type StorageType = 'f32' | 'i32' | 'u32' | 'vec4f';

/** A storage array in WGSL. */
export interface StorageArray {
  name: string;
  /** The expression that reads the element at an index expression. */
  at(index: string): string;
  /** The statement that stores a value there. */
  set(index: string, value: string): string;
}

/** What the memory of a program buffer of f16 is declared as. */
const HALF: Partial<Record<StorageType, string>> = { f32: 'f16', vec4f: 'vec4h' };

function storageArray(name: string, type: StorageType, element: string): StorageArray {
  const converts = type !== element;
  return {
    name,
    at: (index) => (converts ? `${type}(${name}[${index}])` : `${name}[${index}]`),
    set: (index, value) => `${name}[${index}] = ${converts ? `${element}(${value})` : value};`,
  };
}

function isSame(a: Binding, b: Binding): boolean {
  if ('buffer' in a) return 'buffer' in b && a.buffer === b.buffer;
  if ('scratch' in a) return 'scratch' in b && a.scratch === b.scratch;
  if ('window' in a) return 'window' in b && a.window.block === b.window.block;
  return 'table' in b && a.table === b.table;
}

interface BindingContext extends Pick<LoweringContext, 'isHalf' | 'elements' | 'scratchBytes'> {
  readonly device: Pick<LoweringDevice, 'sizedArrays'>;
}

/** Elements of a vector that a storage type loads at once. */
const widthOf = (type: StorageType) => (type === 'vec4f' ? 4 : 1);

/** Collects the bindings of one dispatch. A buffer asked for twice is one variable. */
export class BindingSet {
  readonly bindings: Binding[] = [];
  readonly #context: BindingContext;
  readonly #arrays: (StorageArray & { type: StorageType; element: string; length: number })[] = [];

  constructor(context: BindingContext) {
    this.#context = context;
  }

  /** The array of a program buffer, under `name` or the name it was first asked for by. */
  buffer(buffer: number, name: string, type: StorageType = 'f32'): StorageArray {
    const element = this.#context.isHalf(buffer) ? HALF[type] : type;
    if (!element) throw new Error(`${name} is bound as ${type}, but holds f16`);
    const length = Math.floor(this.#context.elements(buffer) / widthOf(type));
    return this.#add({ buffer }, { name, type, element, length });
  }

  /** The array of scratch memory. */
  scratch(scratch: number, name: string, type: StorageType = 'f32'): StorageArray {
    const length = Math.floor(this.#context.scratchBytes(scratch) / (4 * widthOf(type)));
    return this.#add({ scratch }, { name, type, element: type, length });
  }

  /** The array of a part of a block, whose elements are of f32. */
  window(window: BlockRange, name: string, type: StorageType = 'f32'): StorageArray {
    return this.#add({ window }, { name, type, element: type, length: window.bytes / (4 * widthOf(type)) });
  }

  /** The array of numbers that never change, as u32. */
  table(table: Uint32Array<ArrayBuffer>, name: string): StorageArray {
    return this.#add({ table }, { name, type: 'u32', element: 'u32', length: table.length });
  }

  /**
   * What stands first in the WGSL: `@group(0) @binding(i) var<storage, read_write> name: array<element, length>;` for each.
   *
   * Checks of indices against known lengths are cheaper: products on SwiftShader are a fifth faster. But where the driver checks
   * (Vulkan's robustBufferAccess2), Dawn leaves out its own for arrays without a length only.
   */
  declarations(): string {
    const isHalf = this.#arrays.some(({ type, element }) => type !== element);
    const { sizedArrays } = this.#context.device;
    const lines = this.#arrays.map(({ name, element, length }, i) => {
      const type = sizedArrays ? `array<${element}, ${length}>` : `array<${element}>`;
      return `@group(0) @binding(${i}) var<storage, read_write> ${name}: ${type};`;
    });
    return [...(isHalf ? ['enable f16;'] : []), ...lines].join('\n');
  }

  #add(binding: Binding, wanted: { name: string; type: StorageType; element: string; length: number }): StorageArray {
    const { name, type, element } = wanted;
    const found = this.bindings.findIndex((other) => isSame(binding, other));
    if (found >= 0) {
      const known = this.#arrays[found];
      if (known.type === type) return known;
      throw new Error(`${name} is bound as ${known.type} (${known.name}) and as ${type} in one dispatch`);
    }
    this.bindings.push(binding);
    const array = { ...storageArray(name, type, element), ...wanted };
    this.#arrays.push(array);
    return array;
  }
}

/**
 * A grid of at least `workgroups` workgroups within the device's limit per dimension. The kernel must return where
 * `linearWorkgroup(grid)` is not below `workgroups`: the grid is a rectangle and may have some to spare.
 */
export function splitGrid(workgroups: number, device: LoweringDevice): [number, number, number] {
  const limit = device.maxWorkgroupsPerDimension;
  if (workgroups <= limit) return [workgroups, 1, 1];
  const y = Math.ceil(workgroups / limit);
  return [Math.ceil(workgroups / y), y, 1];
}

/** WGSL for the position of this workgroup in a grid made by `splitGrid` (needs the `group` argument of `mainHeader`). */
export function linearWorkgroup(grid: [number, number, number]): string {
  return grid[1] === 1 ? 'group.x' : `(group.y * ${grid[0]}u + group.x)`;
}

/** `@compute @workgroup_size(size) fn main(...)` with `group: vec3u` (workgroup id) and `lane: u32` (index in the workgroup). */
export function mainHeader(workgroupSize: number): string {
  return `@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32)`;
}

/** The largest finite f32 as a WGSL literal. */
export const F32_MAX = '3.4028234663852886e38f';

/**
 * WGSL functions for values that WGSL has no literals for. A constant expression may not be infinite or NaN, hence the
 * variables; compilers may assume that NaN does not occur in float comparisons, hence the integer ones.
 */
export const NON_FINITE_WGSL = `
fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }
fn not_a_number() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn is_infinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
`;

/** An f32 WGSL expression with exactly the value `Math.fround(value)`. Non-finite values need `NON_FINITE_WGSL`. */
export function f32Literal(value: number): string {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return 'not_a_number()';
  if (rounded === Infinity) return 'infinity()';
  if (rounded === -Infinity) return '(-infinity())';
  if (Object.is(rounded, -0)) return 'bitcast<f32>(0x80000000u)';
  const text = String(rounded);
  return `${rounded < 0 ? '(' : ''}${text}f${rounded < 0 ? ')' : ''}`;
}

/**
 * WGSL of a function `name(lane, value) -> f32` that combines the values of all lanes of a workgroup, as a tree of fixed
 * order, and gives every lane the result. Must be called in uniform control flow; can be called repeatedly.
 *
 * @param options.size lanes in the workgroup, a power of two.
 * @param options.combine WGSL expression of `a` and `b`, e.g. `a + b` or `max(a, b)`.
 */
export function workgroupReduce(options: { name: string; size: number; combine: string }): string {
  const { name, size, combine } = options;
  return `
var<workgroup> ${name}_values: array<f32, ${size}>;
fn ${name}_combine(a: f32, b: f32) -> f32 { return ${combine}; }
fn ${name}(lane: u32, value: f32) -> f32 {
  ${name}_values[lane] = value;
  workgroupBarrier();
  for (var stride = ${size / 2}u; stride > 0u; stride >>= 1u) {
    if (lane < stride) {
      ${name}_values[lane] = ${name}_combine(${name}_values[lane], ${name}_values[lane + stride]);
    }
    workgroupBarrier();
  }
  let result = ${name}_values[0];
  workgroupBarrier();
  return result;
}
`;
}
