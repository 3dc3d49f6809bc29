/**
 * @file The parts from which the attention kernels are put together. A workgroup owns a block of rows (queries, or in
 * the gradient of keys and values: keys) and walks over tiles of the other axis, the columns. Thread (quad, lane) holds
 * the 4 x 4 scores of rows 4 quad + i and columns lane + j LANES, i and j below 4, as vec4f `s0` .. `s3` (one for each row).
 */
import type { AttentionShape } from '@transfusion/tensor';
import type { BindingSet, LoweringDevice, StorageArray, StorageType } from '../lowering.js';

/** How a workgroup of quads x lanes threads is laid out. A block has 4 quads rows, a tile 4 lanes columns. */
export interface TilePlan {
  quads: number;
  lanes: number;
  /** Column operands go through workgroup memory, `chunk` vec4f of each row at a time; else every thread loads its own. */
  staged: boolean;
  chunk: number;
}

/**
 * Square blocks where there are rows enough; with few rows (decoding), wide tiles. Staging pays where several quads read
 * the same column and workgroup memory is fast; a software adapter has cheap loads and dear threads.
 */
export function planTiles(rows: number, headDim: number, device: LoweringDevice): TilePlan {
  const width = Math.ceil(headDim / 4);
  if (device.software) return { quads: rows <= 4 ? 1 : 4, lanes: rows <= 4 ? 8 : 4, staged: false, chunk: width };
  if (rows <= 4) return { quads: 1, lanes: 64, staged: false, chunk: width };
  if (rows <= 16) return { quads: 4, lanes: 16, staged: false, chunk: width };
  // 16 vec4f of 32 columns are 8.5 KiB with padding; weights and row sums take 6 of the 16 KiB every device has.
  return { quads: 8, lanes: 8, staged: true, chunk: Math.min(width, 16) };
}

/** A [batch, sequence, heads, headDim] operand at one head: position p starts at `base + p * stride` storage elements. */
export interface HeadOperand {
  array: StorageArray;
  base: string;
  stride: number;
  length: number;
}

/** exp of a NaN is infinity on some devices, which would turn a broken run into zeros. */
export const NAN_KEEPING_EXP_WGSL = `
fn nan_keeping_exp(x: vec4f) -> vec4f {
  let magnitude = bitcast<vec4u>(x) & vec4u(0x7fffffffu);
  return select(exp(x), x, magnitude > vec4u(0x7f800000u));
}`;

export const QUAD = [0, 1, 2, 3];

/** Lines made by `line(i)` for i below `count`: WGSL unrolled here, so that accumulators stay in registers. */
export function unroll(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n');
}

/** WGSL writer for one attention kernel: declarations it needs, and the statements of each part. */
export class AttentionTiles {
  /** vec4f in a head's row. */
  readonly width: number;
  readonly storageType: StorageType;
  readonly threads: number;
  readonly blockRows: number;
  readonly tileColumns: number;
  readonly #loaded = new Set<StorageArray>();

  constructor(
    readonly shape: AttentionShape & { sharedKeys?: boolean },
    readonly plan: TilePlan,
  ) {
    this.width = Math.ceil(shape.headDim / 4);
    this.storageType = shape.headDim % 4 === 0 ? 'vec4f' : 'f32';
    this.threads = plan.quads * plan.lanes;
    this.blockRows = 4 * plan.quads;
    this.tileColumns = 4 * plan.lanes;
  }

  /** Binds a query-sided (q, output, dOutput, dq) or key-sided (k, v, dk, dv) buffer. WGSL `batch` and `head` give its head. */
  operand(bindings: BindingSet, buffer: number, name: string, side: 'query' | 'key'): HeadOperand {
    const { queries, keys, heads, kvHeads, headDim, sharedKeys = false } = this.shape;
    const unit = this.storageType === 'vec4f' ? headDim / 4 : headDim;
    const array = bindings.buffer(buffer, name, this.storageType);
    this.#loaded.add(array);
    const [length, count, head] = side === 'query' ? [queries, heads, 'head'] : [keys, kvHeads, 'kv_head'];
    return {
      array,
      base: `(batch * ${side === 'key' && sharedKeys ? 0 : length * count}u + ${head}) * ${unit}u`,
      stride: count * unit,
      length,
    };
  }

  /** Module-scope declarations: the shared arrays and a load function for each operand. */
  declarations(): string {
    const { quads, lanes, staged, chunk } = this.plan;
    return `
${staged ? `var<workgroup> tile: array<vec4f, ${this.tileColumns * (chunk + 1)}>;` : ''}
var<workgroup> weights: array<vec4f, ${this.tileColumns * quads}>;
var<workgroup> reach: array<atomic<u32>, 2>;
var<workgroup> visited: vec2u;
const QUADS = ${quads}u;
const LANES = ${lanes}u;
${[...this.#loaded].map((array) => this.#loadFunction(array)).join('\n')}`;
  }

  /**
   * `first_row`, `quad`, `lane` and one storage offset for each of the thread's rows. Rows past the end repeat the last
   * one; their results are never stored.
   */
  rowSetup(operand: HeadOperand, blockIndex: string): string {
    return `
  let quad = thread / LANES;
  let lane = thread % LANES;
  let first_row = ${blockIndex} * ${this.blockRows}u + quad * 4u;
${unroll(4, (i) => `  let row_offset${i} = ${operand.base} + min(first_row + ${i}u, ${operand.length - 1}u) * ${operand.stride}u;`)}`;
  }

  /**
   * Leaves in `range: vec2u` the smallest interval that covers all intervals [low, high) the workgroup's threads found,
   * the same for all threads (an empty one if there were none). `find` are WGSL statements that call
   * `cover(low, high)`; positions are below `length`.
   */
  coveredRange(find: string): string {
    return `
  if (thread == 0u) {
    atomicStore(&reach[0], 0u);
    atomicStore(&reach[1], 0u);
  }
  workgroupBarrier();
${find}
  workgroupBarrier();
  if (thread == 0u) { visited = vec2u(LENGTH - atomicLoad(&reach[0]), atomicLoad(&reach[1])); }
  let range = workgroupUniformLoad(&visited);`;
  }

  coverFunction(length: number): string {
    return `
const LENGTH = ${length}u;
// The lower end is kept as its distance from the top: both ends are then maxima of numbers that start as 0.
fn cover(low: u32, high: u32) {
  atomicMax(&reach[0], LENGTH - low);
  atomicMax(&reach[1], high);
}`;
  }

  /** name0 .. name3 += products of the thread's rows with its columns. Barriers around the staging are included. */
  products(name: string, rows: HeadOperand, columns: HeadOperand): string {
    const { staged } = this.plan;
    const column = (j: number) =>
      staged
        ? `tile[(lane + ${j}u * LANES) * ${this.plan.chunk + 1}u + part]`
        : `load_${columns.array.name}(${columns.base} + min(first_column + lane + ${j}u * LANES, ${columns.length - 1}u) * ${columns.stride}u, part)`;
    return this.#chunks()
      .map(
        ({ start, size }) => `
    ${staged ? `workgroupBarrier();\n${this.stage(columns, start, size)}\n    workgroupBarrier();` : ''}
    for (var part = 0u; part < ${size}u; part++) {
${unroll(4, (i) => `      let a${i} = load_${rows.array.name}(row_offset${i}, part + ${start}u);`)}
${unroll(4, (j) => `      let b${j} = ${column(j)};`)}
${unroll(4, (i) => `      ${name}${i} += vec4f(${QUAD.map((j) => `dot(a${i}, b${j})`).join(', ')});`)}
    }`,
      )
      .join('\n');
  }

  /** Copies a chunk of the tile's columns into workgroup memory; columns past the end are zeros. */
  stage(columns: HeadOperand, start: number, size: number): string {
    return `    for (var i = thread; i < ${this.tileColumns * size}u; i += ${this.threads}u) {
      let column = i / ${size}u;
      let part = i % ${size}u;
      var value = vec4f();
      if (first_column + column < ${columns.length}u) {
        value = load_${columns.array.name}(${columns.base} + (first_column + column) * ${columns.stride}u, part + ${start}u);
      }
      tile[column * ${this.plan.chunk + 1}u + part] = value;
    }`;
  }

  /** Stores scores name0 .. name3, transposed, where `accumulate` reads them. */
  storeWeights(name: string): string {
    return unroll(
      4,
      (j) =>
        `    weights[(lane + ${j}u * LANES) * QUADS + quad] = vec4f(${QUAD.map((i) => `${name}${i}[${j}]`).join(', ')});`,
    );
  }

  /** The accumulators of one result: for row i, the vec4f columns lane, lane + LANES, ... of each chunk. */
  accumulators(name: string): { variable: (row: number) => string; column: string }[] {
    return this.#chunks().flatMap(({ start, size }) =>
      Array.from({ length: Math.ceil(size / this.plan.lanes) }, (_, n) => ({
        variable: (row: number) => `${name}_${row}_${start + n * this.plan.lanes}`,
        column: `${start + n * this.plan.lanes}u + lane`,
      })),
    );
  }

  declareAccumulators(name: string): string {
    return this.accumulators(name)
      .map(({ variable }) => `  ${QUAD.map((i) => `var ${variable(i)} = vec4f();`).join(' ')}`)
      .join('\n');
  }

  /**
   * accumulators += weights x columns. Starts with a barrier that makes the stored weights visible.
   *
   * @param options.inTile the tile already holds the first chunk of `columns`, or `stage` puts it there before the barrier.
   */
  accumulate(name: string, columns: HeadOperand, options: { inTile: boolean }): string {
    const { staged, lanes, chunk } = this.plan;
    return this.#chunks()
      .map(({ start, size }, index) => {
        const restage = staged && (index > 0 || !options.inTile);
        const parts = Array.from({ length: Math.ceil(size / lanes) }, (_, n) => n * lanes);
        // Lanes past the row's end repeat its last part: cheaper than a branch, and never stored.
        const part = (n: number) => (n + lanes <= size ? `lane + ${n}u` : `min(lane + ${n}u, ${size - 1}u)`);
        const column = (n: number) =>
          staged
            ? `tile[k * ${chunk + 1}u + ${part(n)}]`
            : `load_${columns.array.name}(${columns.base} + min(first_column + k, ${columns.length - 1}u) * ${columns.stride}u, ${part(n)} + ${start}u)`;
        return `
    ${index > 0 || restage ? 'workgroupBarrier();' : ''}
${restage ? this.stage(columns, start, size) : ''}
    ${index === 0 || restage ? 'workgroupBarrier();' : ''}
    for (var k = 0u; k < ${this.tileColumns}u; k++) {
      let weight = weights[k * QUADS + quad];
${parts
  .map(
    (n) => `      {
        let value = ${column(n)};
${unroll(4, (i) => `        ${name}_${i}_${start + n} += weight[${i}] * value;`)}
      }`,
  )
  .join('\n')}
    }`;
      })
      .join('\n');
  }

  /** Stores the accumulators, each row i times `factor(i)`, to the thread's rows of `destination`. */
  storeRows(name: string, destination: HeadOperand, factor: (i: number) => string): string {
    const { headDim } = this.shape;
    return this.accumulators(name)
      .flatMap(({ variable, column }) =>
        QUAD.map((i) => {
          const value = `${variable(i)} * ${factor(i)}`;
          const store =
            this.storageType === 'vec4f'
              ? destination.array.set(`row_offset${i} + column`, value)
              : `let value = ${value};
      for (var c = 0u; c < min(4u, ${headDim}u - column * 4u); c++) { ${destination.array.set(`row_offset${i} + column * 4u + c`, 'value[c]')} }`;
          return `  {
    let column = ${column};
    if (column < ${this.width}u && first_row + ${i}u < ${destination.length}u) {
      ${store}
    }
  }`;
        }),
      )
      .join('\n');
  }

  /** Whether one chunk holds a whole row, so that what was staged for products can serve `accumulate` too. */
  get singleChunk(): boolean {
    return this.width <= this.plan.chunk;
  }

  #chunks(): { start: number; size: number }[] {
    const { chunk } = this.plan;
    return Array.from({ length: Math.ceil(this.width / chunk) }, (_, n) => ({
      start: n * chunk,
      size: Math.min(chunk, this.width - n * chunk),
    }));
  }

  #loadFunction(array: StorageArray): string {
    if (this.storageType === 'vec4f') {
      return `fn load_${array.name}(offset: u32, part: u32) -> vec4f { return ${array.at('offset + part')}; }`;
    }
    return `fn load_${array.name}(offset: u32, part: u32) -> vec4f {
  var value = vec4f();
  for (var c = 0u; c < min(4u, ${this.shape.headDim}u - part * 4u); c++) { value[c] = ${array.at('offset + part * 4u + c')}; }
  return value;
}`;
  }
}
