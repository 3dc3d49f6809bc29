/** @file Attention by subgroup matrices (attention.ts has the shapes). */
import type { AttentionKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, F32_MAX, f32Literal, type LoweringContext } from '../../lowering.js';
import { numericsWgsl } from '../numerics.js';
import { blockGrid } from './block-grid.js';
import { coveredRange, coveredRangeWgsl } from './covered-range.js';
import { AttentionMatrices, type MatrixArray } from './matrices.js';
import type { MatrixPlan } from './plan.js';
import { nanKeepingExpWgsl } from './tiles.js';

export const FORWARD_ARRAYS: readonly MatrixArray[] = ['block_a', 'tile_a', 'tile_b', 'scores', 'weights'];

/**
 * Two walks over the keys: the first finds the rows' maxima, the second sums. Subgroup matrices cannot be rescaled row by row, as
 * a running maximum would ask for, and a third product costs less than to fetch and scale the sums.
 */
export function forwardByMatrices(kernel: AttentionKernel, context: LoweringContext, plan: MatrixPlan): Dispatch {
  const { queries, keys, heads } = kernel;
  const scale = f32Literal(kernel.scale);
  const matrices = new AttentionMatrices(kernel, plan, FORWARD_ARRAYS);
  const bindings = new BindingSet(context);
  const q = matrices.operand(bindings, kernel.q, 'q', 'query');
  const k = matrices.operand(bindings, kernel.k, 'k', 'key');
  const v = matrices.operand(bindings, kernel.v, 'v', 'key');
  const begin = bindings.buffer(kernel.begin, 'interval_begin', 'i32');
  const end = bindings.buffer(kernel.end, 'interval_end', 'i32');
  const output = matrices.operand(bindings, kernel.output, 'output', 'query');
  const lse = bindings.buffer(kernel.lse, 'lse');

  const { blockRows } = matrices;
  const { workgroups, locate } = blockGrid(kernel, 'query', { blockRows, device: context.device });
  const tiles = 'for (var first_column = range.x; first_column < range.y; first_column += COLUMNS)';
  const seen = '(column >= row_begin) & (column < row_end)';
  // Lanes of a row exchange what each has of it.
  const overLanes = (variable: string, combine: string) => `
  workgroupBarrier();
  row_values[thread] = ${variable};
  workgroupBarrier();
  for (var i = 1u; i < ROW_LANES; i++) {
    let other = row_values[block_line * ROW_LANES + (row_lane + i) % ROW_LANES];
    ${variable} = ${combine};
  }`;

  const body = `
${locate}
${matrices.rowSetup('block')}
  var row_begin = 0u;
  var row_end = 0u;
${coveredRange(`
  if (row < ${queries}u) {
    let low = u32(clamp(${begin.at(`batch * ${queries}u + row`)}, 0, ${keys}));
    let high = u32(clamp(${end.at(`batch * ${queries}u + row`)}, 0, ${keys}));
    if (low < high) {
      row_begin = low;
      row_end = high;
      cover(low, high);
    }
  }`)}
${matrices.stage('block_a', q, 'first_row')}
  // Not above any score, yet finite: -infinity - -infinity is NaN.
  var maximum = f32(-${F32_MAX});
  ${tiles} {
    workgroupBarrier();
${matrices.stage('tile_a', k, 'first_column')}
    workgroupBarrier();
${matrices.products('scores', 'block_a', 'tile_a')}
    workgroupBarrier();
${matrices.eachColumn(`      if (${seen}) { maximum = max(maximum, ${matrices.at('scores')} * ${scale}); }`)}
  }
${overLanes('maximum', 'max(maximum, other)')}
  var row_sum = 0.0f;
${matrices.declareAccumulators('o')}
  ${tiles} {
    workgroupBarrier();
${matrices.stage('tile_a', k, 'first_column')}
${matrices.stage('tile_b', v, 'first_column')}
    workgroupBarrier();
${matrices.products('scores', 'block_a', 'tile_a')}
    workgroupBarrier();
${matrices.eachColumn(`      let p = select(0.0f, nan_keeping_exp(${matrices.at('scores')} * ${scale} - maximum), ${seen});
      row_sum += p;
      ${matrices.at('weights')} = ${plan.config.component}(p);`)}
    workgroupBarrier();
${matrices.accumulate('o', 'weights', 'tile_b')}
  }
${overLanes('row_sum', 'row_sum + other')}
  let empty = row_begin >= row_end;
  if ((row_lane == 0u) & (row < ${queries}u)) {
    let row_lse = select(maximum + precise_log(row_sum), 0.0f, empty);
    ${lse.set(`(batch * ${queries}u + row) * ${heads}u + head`, 'row_lse')}
  }
  let factor = select(1.0f / row_sum, 0.0f, empty);
${matrices.storeRows('o', output, 'factor')}`;
  const functions = `${coveredRangeWgsl(keys)}
${numericsWgsl(['precise_log'])}
${nanKeepingExpWgsl('f32')}
var<workgroup> row_values: array<f32, ${matrices.threads}>;`;
  const code = matrices.module({ bindings, functions }, body);
  return { label: 'attention by matrices', code, bindings: bindings.bindings, workgroups };
}
