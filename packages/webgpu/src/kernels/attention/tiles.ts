/**
 * @file The parts from which the attention kernels are put together. A workgroup owns a block of rows (queries, or in
 * the gradient of keys and values: keys) and walks over tiles of the other axis, the columns. Thread (strip, lane) holds
 * the scores of its rows, ROWS strip + i, and its columns, lane + j LANES: of row i as vec4f `s<i>_0` (columns j = 0 .. 3), `s<i>_1`.
 * What there is one of for each row is in vec4f as well, `name0` of rows 0 .. 3, `name1` of rows 4 .. 7.
 */
import type { BindingSet, StorageArray } from '../../lowering.js';
import { type HeadOperand, headOperand, type SharedAttentionShape } from './head-operand.js';
import type { TilePlan } from './plan.js';

/** exp of a NaN is infinity on some devices, which would turn a broken run into zeros. */
export function nanKeepingExpWgsl(type: 'f32' | 'vec4f'): string {
  const bits = type === 'f32' ? 'u32' : 'vec4u';
  return `
fn nan_keeping_exp(x: ${type}) -> ${type} {
  let magnitude = bitcast<${bits}>(x) & ${bits}(0x7fffffffu);
  return select(exp(x), x, magnitude > ${bits}(0x7f800000u));
}`;
}

export const QUAD = [0, 1, 2, 3];

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Lines made by `line(i)` for i below `count`: WGSL unrolled here, so that accumulators stay in registers. */
export function unroll(count: number, line: (i: number) => string): string {
  return upTo(count).map(line).join('\n');
}

/** WGSL writer for one attention kernel: declarations it needs, and the statements of each part. */
export class AttentionTiles {
  /** vec4f in a head's row. */
  readonly width: number;
  readonly storageType: 'vec4f' | 'f32';
  readonly threads: number;
  readonly blockRows: number;
  readonly tileColumns: number;
  /** Of a thread: rows, columns, and vec4f of each. */
  readonly rows: number;
  readonly columns: number;
  readonly rowQuads: readonly number[];
  readonly columnQuads: readonly number[];
  readonly #loaded = new Set<StorageArray>();

  constructor(
    readonly shape: SharedAttentionShape,
    readonly plan: TilePlan,
  ) {
    this.width = Math.ceil(shape.headDim / 4);
    this.storageType = shape.headDim % 4 === 0 ? 'vec4f' : 'f32';
    this.rows = plan.rowsPerThread;
    this.columns = plan.columnsPerThread;
    this.rowQuads = upTo(this.rows / 4);
    this.columnQuads = upTo(this.columns / 4);
    this.threads = plan.strips * plan.lanes;
    this.blockRows = this.rows * plan.strips;
    this.tileColumns = this.columns * plan.lanes;
  }

  /** Binds an operand, for which `declarations` has a load function. */
  operand(bindings: BindingSet, buffer: number, name: string, side: 'query' | 'key'): HeadOperand {
    const operand = headOperand({ shape: this.shape, bindings, buffer, name, side, type: this.storageType });
    this.#loaded.add(operand.array);
    return operand;
  }

  /** Module-scope declarations: the shared arrays and a load function for each operand. */
  declarations(): string {
    const { strips, lanes, staged, chunk } = this.plan;
    return `
${staged ? `var<workgroup> tile: array<vec4f, ${this.tileColumns * (chunk + 1)}>;` : ''}
var<workgroup> weights: array<vec4f, ${this.tileColumns * strips * this.rowQuads.length}>;
const STRIPS = ${strips}u;
const LANES = ${lanes}u;
${[...this.#loaded].map((array) => this.#loadFunction(array)).join('\n')}`;
  }

  /**
   * `first_row`, `strip`, `lane` and one storage offset for each of the thread's rows. Rows past the end repeat the last
   * one; their results are never stored.
   */
  rowSetup(operand: HeadOperand, blockIndex: string): string {
    return `
  let strip = thread / LANES;
  let lane = thread % LANES;
  let first_row = ${blockIndex} * ${this.blockRows}u + strip * ${this.rows}u;
${unroll(this.rows, (i) => `  let row_offset${i} = ${operand.base} + min(first_row + ${i}u, ${operand.length - 1}u) * ${operand.stride}u;`)}`;
  }

  /** The scores of a row and a quad of columns. */
  score(name: string, row: number, quad: number): string {
    return `${name}${row}_${quad}`;
  }

  /** What belongs to one row. */
  ofRow(name: string, row: number): string {
    return `${name}${row >> 2}[${row & 3}]`;
  }

  /** A line for each row and quad of columns. */
  eachScore(line: (row: number, quad: number) => string): string {
    return unroll(this.rows, (row) => this.columnQuads.map((quad) => line(row, quad)).join('\n'));
  }

  /** The scores are 0. */
  declareScores(name: string): string {
    return this.eachScore((row, quad) => `    var ${this.score(name, row, quad)} = vec4f();`);
  }

  /** A vec4f for each quad of the thread's rows, of `value(row)`. */
  overRows(assign: (quad: number, value: string) => string, value: (row: number) => string): string {
    return unroll(this.rowQuads.length, (quad) =>
      assign(quad, `vec4f(${QUAD.map((i) => value(4 * quad + i)).join(', ')})`),
    );
  }

  /** The places of a quad of the thread's columns. */
  columnPlaces(type: 'vec4u' | 'vec4i', quad: number): string {
    const scalar = type === 'vec4u' ? 'u32' : 'i32';
    return `${type}(${QUAD.map((j) => `${scalar}(first_column + lane + ${4 * quad + j}u * LANES)`).join(', ')})`;
  }

  /** name += products of the thread's rows with its columns. Barriers around the staging are included. */
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
${unroll(this.rows, (i) => `      let a${i} = load_${rows.array.name}(row_offset${i}, part + ${start}u);`)}
${unroll(this.columns, (j) => `      let b${j} = ${column(j)};`)}
${this.eachScore((i, quad) => `      ${this.score(name, i, quad)} += vec4f(${QUAD.map((j) => `dot(a${i}, b${4 * quad + j})`).join(', ')});`)}
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

  /** Stores scores, transposed, where `accumulate` reads them. */
  storeWeights(name: string): string {
    const of = (j: number) => (row: number) => `${this.score(name, row, j >> 2)}[${j & 3}]`;
    return unroll(this.columns, (j) =>
      this.overRows((quad, value) => `    ${this.#weight(`lane + ${j}u * LANES`, quad)} = ${value};`, of(j)),
    );
  }

  /** The weights of a column for a quad of the strip's rows. */
  #weight(column: string, quad: number): string {
    const quads = this.rowQuads.length;
    return `weights[((${column}) * STRIPS + strip) * ${quads}u + ${quad}u]`;
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
      .map(
        ({ variable }) =>
          `  ${upTo(this.rows)
            .map((i) => `var ${variable(i)} = vec4f();`)
            .join(' ')}`,
      )
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
${unroll(this.rowQuads.length, (quad) => `      let weight${quad} = ${this.#weight('k', quad)};`)}
${parts
  .map(
    (n) => `      {
        let value = ${column(n)};
${unroll(this.rows, (i) => `        ${name}_${i}_${start + n} += ${this.ofRow('weight', i)} * value;`)}
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
        upTo(this.rows).map((i) => {
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
