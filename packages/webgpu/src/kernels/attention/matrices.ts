/**
 * @file The parts from which attention by subgroup matrices is put together. A workgroup owns a block of rows (queries, or in the
 * gradient of keys and values: keys) and walks over tiles of the other axis, the columns. Its subgroups multiply small matrices,
 * each in rows of its own, from and into workgroup memory; between the products, thread (row, row_lane) works on the scores of one
 * row: of columns row_lane, row_lane + ROW_LANES, ...
 */
import { type BindingSet, mainHeader } from '../../lowering.js';
import type { MatrixPlace, SubgroupMatrixWgsl } from '../products/subgroup-matrix-wgsl.js';
import { type HeadOperand, headOperand, type SharedAttentionShape } from './head-operand.js';
import { blockRows, type MatrixPlan } from './plan.js';

/** Arrays of workgroup memory: lines that lie a few elements apart, so that they begin at multiples of 16 bytes. */
export type MatrixArray =
  | 'block_a'
  | 'block_b'
  | 'tile_a'
  | 'tile_b'
  | 'scores'
  | 'others'
  | 'weights'
  | 'other_weights';

/** Elements from one line of an array to the next, and its lines. */
function layoutOf(
  array: MatrixArray,
  headDim: number,
  plan: MatrixPlan,
): { pitch: number; lines: number; type: 'f16' | 'f32' } {
  const { component } = plan.config;
  const spare = component === 'f16' ? 8 : 4;
  const rows = blockRows(plan);
  if (array === 'block_a' || array === 'block_b') return { pitch: headDim + spare, lines: rows, type: component };
  if (array === 'tile_a' || array === 'tile_b') return { pitch: headDim + spare, lines: plan.columns, type: component };
  if (array === 'scores' || array === 'others') return { pitch: plan.columns + 4, lines: rows, type: 'f32' };
  return { pitch: plan.columns + spare, lines: rows, type: component };
}

/** What the arrays take of workgroup memory. */
export function matrixBytes(arrays: readonly MatrixArray[], headDim: number, plan: MatrixPlan): number {
  return arrays
    .map((array) => layoutOf(array, headDim, plan))
    .reduce((sum, { pitch, lines, type }) => sum + pitch * lines * (type === 'f16' ? 2 : 4), 0);
}

/** WGSL writer for one kernel of attention by subgroup matrices. */
export class AttentionMatrices {
  readonly threads: number;
  readonly blockRows: number;
  /** Threads that share a row. */
  readonly rowLanes: number;
  readonly #wgsl: SubgroupMatrixWgsl;

  constructor(
    readonly shape: SharedAttentionShape,
    readonly plan: MatrixPlan,
    readonly arrays: readonly MatrixArray[],
  ) {
    this.threads = plan.subgroups * plan.subgroupLanes;
    this.blockRows = blockRows(plan);
    this.rowLanes = this.threads / this.blockRows;
    this.#wgsl = plan.wgsl();
  }

  operand(bindings: BindingSet, buffer: number, name: string, side: 'query' | 'key'): HeadOperand {
    return headOperand({ shape: this.shape, bindings, buffer, name, side, type: 'vec4f' });
  }

  /** The whole text. @param declarations of the bindings, and of functions that the body calls */
  module(declarations: { bindings: BindingSet; functions: string }, body: string): string {
    const { argument, directives, prologue } = this.#wgsl;
    const memory = this.arrays.map((array) => {
      const { pitch, lines, type } = layoutOf(array, this.shape.headDim, this.plan);
      return `var<workgroup> ${array}: array<${type}, ${pitch * lines}>;`;
    });
    const header = mainHeader(this.threads);
    return `${directives}
${declarations.bindings.declarations()}
${memory.join('\n')}
const THREADS = ${this.threads}u;
const COLUMNS = ${this.plan.columns}u;
const ROW_LANES = ${this.rowLanes}u;
${declarations.functions}
${this.#wgsl.declarations()}
${argument ? header.replace('lane: u32)', `lane: u32, ${argument})`) : header} {
  ${prologue}
  let thread = lane;
${body}
}
`;
  }

  /** `first_row`; `block_line` and `row`, the thread's row in the block and of all; where its subgroup's rows begin in the block. */
  rowSetup(blockIndex: string): string {
    const rows = this.plan.rowMatrices * this.plan.config.M;
    return `
  let row_lane = thread % ROW_LANES;
  let block_line = thread / ROW_LANES;
  let first_row = ${blockIndex} * ${this.blockRows}u;
  let row = first_row + block_line;
  // There are more subgroups where they are smaller than the largest: these multiply nothing.
  let computes = subgroup < ${this.plan.subgroups}u;
  let subgroup_line = subgroup * ${rows}u;`;
  }

  /** Copies rows of an operand from \`first\` on into an array; those past the end are zeros. */
  stage(array: MatrixArray, operand: HeadOperand, first: string): string {
    const { pitch, lines, type } = layoutOf(array, this.shape.headDim, this.plan);
    const width = this.shape.headDim / 4;
    return `  for (var e = thread; e < ${lines * width}u; e += THREADS) {
    let line = e / ${width}u;
    let part = e % ${width}u;
    var value = vec4f();
    if (${first} + line < ${operand.length}u) {
      value = ${operand.array.at(`${operand.base} + (${first} + line) * ${operand.stride}u + part`)};
    }
    let at = line * ${pitch}u + part * 4u;
    ${[0, 1, 2, 3].map((i) => `${array}[at + ${i}u] = ${type}(value[${i}]);`).join(' ')}
  }`;
  }

  /** scores = rows of a block times columns of a tile, both of headDim. */
  products(scores: 'scores' | 'others', block: MatrixArray, tile: MatrixArray): string {
    const { M, N, K } = this.plan.config;
    const depth = this.shape.headDim / K;
    const lines: string[] = [];
    for (let i = 0; i < this.plan.rowMatrices; i++) {
      lines.push('{');
      for (let d = 0; d < depth; d++)
        lines.push(this.#wgsl.load(`left${d}`, 'left', this.#ofRows(block, i * M, d * K)));
      for (let j = 0; j < this.plan.columns / N; j++) {
        lines.push('{', this.#wgsl.declareSum('sum'));
        for (let d = 0; d < depth; d++) {
          const pitch = this.#pitch(tile);
          const place = { array: tile, offset: `${j * N * pitch + d * K}u`, order: 'column', stride: pitch } as const;
          lines.push('{', this.#wgsl.load('right', 'right', place));
          lines.push(this.#wgsl.multiplyAccumulate('sum', `left${d}`, 'right'), '}');
        }
        lines.push(this.#wgsl.store('sum', this.#ofRows(scores, i * M, j * N)), '}');
      }
      lines.push('}');
    }
    return `    if (computes) {\n${lines.map((line) => `      ${line}`).join('\n')}\n    }`;
  }

  declareAccumulators(name: string): string {
    return this.#accumulators(name, (each) => `  ${this.#wgsl.declareSum(each)}`).join('\n');
  }

  /** accumulators += weights times the tile's rows. */
  accumulate(name: string, weights: MatrixArray, tile: MatrixArray): string {
    const { M, N, K } = this.plan.config;
    const pitch = this.#pitch(tile);
    const lines: string[] = [];
    for (let c = 0; c < this.plan.columns / K; c++) {
      lines.push('{');
      for (let i = 0; i < this.plan.rowMatrices; i++) {
        lines.push(this.#wgsl.load(`weight${i}`, 'left', this.#ofRows(weights, i * M, c * K)));
      }
      for (let n = 0; n < this.shape.headDim / N; n++) {
        const place = { array: tile, offset: `${c * K * pitch + n * N}u`, order: 'row', stride: pitch } as const;
        lines.push('{', this.#wgsl.load('right', 'right', place));
        for (let i = 0; i < this.plan.rowMatrices; i++) {
          lines.push(this.#wgsl.multiplyAccumulate(`${name}${i}_${n}`, `weight${i}`, 'right'));
        }
        lines.push('}');
      }
      lines.push('}');
    }
    return `    if (computes) {\n${lines.map((line) => `      ${line}`).join('\n')}\n    }`;
  }

  /** Stores the accumulators, times `factor`, to the thread's row of `destination`, by way of `scores`. */
  storeRows(name: string, destination: HeadOperand, factor: string): string {
    const { M, N } = this.plan.config;
    const pitch = this.#pitch('scores');
    const stores = Array.from({ length: this.shape.headDim / N }, (_, n) => {
      const matrices = Array.from({ length: this.plan.rowMatrices }, (_, i) =>
        this.#wgsl.store(`${name}${i}_${n}`, this.#ofRows('scores', i * M, 0)),
      );
      const value = `vec4f(${[0, 1, 2, 3].map((i) => `scores[at + ${i}u]`).join(', ')}) * ${factor}`;
      return `  workgroupBarrier();
  if (computes) { ${matrices.join(' ')} }
  workgroupBarrier();
  if (row < ${destination.length}u) {
    for (var part = row_lane; part < ${N / 4}u; part += ROW_LANES) {
      let at = block_line * ${pitch}u + part * 4u;
      ${destination.array.set(`${destination.base} + row * ${destination.stride}u + ${(n * N) / 4}u + part`, value)}
    }
  }`;
    });
    return stores.join('\n');
  }

  /** Statements for each score of the thread's row: \`line\` of (WGSL of the column in the tile). */
  eachColumn(lines: string): string {
    return `    for (var c = row_lane; c < COLUMNS; c += ROW_LANES) {
      let column = first_column + c;
${lines}
    }`;
  }

  /** Where the thread's row has column \`c\`. */
  at(array: MatrixArray): string {
    return `${array}[block_line * ${this.#pitch(array)}u + c]`;
  }

  #accumulators(name: string, each: (name: string) => string): string[] {
    const [down, across] = [this.plan.rowMatrices, this.shape.headDim / this.plan.config.N];
    return Array.from({ length: down * across }, (_, i) => each(`${name}${Math.floor(i / across)}_${i % across}`));
  }

  #pitch(array: MatrixArray): number {
    return layoutOf(array, this.shape.headDim, this.plan).pitch;
  }

  /** The matrix at a line of the subgroup's rows, and a column. */
  #ofRows(array: MatrixArray, line: number, column: number): MatrixPlace {
    const pitch = this.#pitch(array);
    return { array, offset: `(subgroup_line + ${line}u) * ${pitch}u + ${column}u`, order: 'row', stride: pitch };
  }
}
