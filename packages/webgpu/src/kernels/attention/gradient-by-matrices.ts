/** @file The gradient of attention by subgroup matrices (attention.ts has the formulas). */
import type { AttentionGradKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, f32Literal, type LoweringContext } from '../../lowering.js';
import { blockGrid } from './block-grid.js';
import { coveredRange, coveredRangeWgsl } from './covered-range.js';
import { AttentionMatrices, type MatrixArray } from './matrices.js';
import type { MatrixPlan } from './plan.js';
import { factsFunction } from './query-facts.js';
import { nanKeepingExpWgsl } from './tiles.js';

const OPERANDS: readonly MatrixArray[] = ['block_a', 'block_b', 'tile_a', 'tile_b', 'scores', 'others', 'weights'];
export const QUERY_GRAD_ARRAYS = OPERANDS;
export const KEY_VALUE_GRAD_ARRAYS: readonly MatrixArray[] = [...OPERANDS, 'other_weights'];

/** dq, a block of queries in each workgroup. @param scratch has the facts of all queries */
export function queryGradByMatrices(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: MatrixPlan,
  scratch: number,
): Dispatch {
  const { keys } = kernel;
  const scale = f32Literal(kernel.scale);
  const matrices = new AttentionMatrices(kernel, plan, QUERY_GRAD_ARRAYS);
  const bindings = new BindingSet(context);
  const q = matrices.operand(bindings, kernel.q, 'q', 'query');
  const k = matrices.operand(bindings, kernel.k, 'k', 'key');
  const v = matrices.operand(bindings, kernel.v, 'v', 'key');
  const dOutput = matrices.operand(bindings, kernel.dOutput, 'd_output', 'query');
  const dq = matrices.operand(bindings, kernel.dq, 'dq', 'query');
  const facts = bindings.scratch(scratch, 'facts', 'u32');

  const { blockRows } = matrices;
  const { workgroups, locate } = blockGrid(kernel, 'query', { blockRows, device: context.device });
  const body = `
${locate}
${matrices.rowSetup('block')}
  let known = query_facts(batch, row, head);
  let lse = bitcast<f32>(known.x);
  let delta = bitcast<f32>(known.y);
${coveredRange('  if (known.z < known.w) { cover(known.z, known.w); }')}
${matrices.stage('block_a', q, 'first_row')}
${matrices.stage('block_b', dOutput, 'first_row')}
${matrices.declareAccumulators('dq')}
  for (var first_column = range.x; first_column < range.y; first_column += COLUMNS) {
    workgroupBarrier();
${matrices.stage('tile_a', k, 'first_column')}
${matrices.stage('tile_b', v, 'first_column')}
    workgroupBarrier();
${matrices.products('scores', 'block_a', 'tile_a')}
${matrices.products('others', 'block_b', 'tile_b')}
    workgroupBarrier();
${matrices.eachColumn(`      let p = nan_keeping_exp(${matrices.at('scores')} * ${scale} - lse);
      let ds = p * (${matrices.at('others')} - delta) * ${scale};
      let seen = (column >= known.z) & (column < known.w);
      ${matrices.at('weights')} = ${plan.config.component}(select(0.0f, ds, seen));`)}
    workgroupBarrier();
${matrices.accumulate('dq', 'weights', 'tile_a')}
  }
${matrices.storeRows('dq', dq, '1.0f')}`;
  const functions = [coveredRangeWgsl(keys), factsFunction(facts, kernel), nanKeepingExpWgsl('f32')].join('\n');
  const code = matrices.module({ bindings, functions }, body);
  return { label: 'attentionGrad dq by matrices', code, bindings: bindings.bindings, workgroups };
}

/** dk and dv, a block of keys in each workgroup. @param scratch has the facts of all queries */
export function keyValueGradByMatrices(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: MatrixPlan,
  scratch: number,
): Dispatch {
  const { queries, heads, kvHeads } = kernel;
  const scale = f32Literal(kernel.scale);
  const group = heads / kvHeads;
  const matrices = new AttentionMatrices(kernel, plan, KEY_VALUE_GRAD_ARRAYS);
  const bindings = new BindingSet(context);
  const q = matrices.operand(bindings, kernel.q, 'q', 'query');
  const k = matrices.operand(bindings, kernel.k, 'k', 'key');
  const v = matrices.operand(bindings, kernel.v, 'v', 'key');
  const dOutput = matrices.operand(bindings, kernel.dOutput, 'd_output', 'query');
  const dk = matrices.operand(bindings, kernel.dk, 'dk', 'key');
  const dv = matrices.operand(bindings, kernel.dv, 'dv', 'key');
  const facts = bindings.scratch(scratch, 'facts', 'u32');

  const { blockRows } = matrices;
  const { workgroups, locate } = blockGrid(kernel, 'key', { blockRows, device: context.device });
  const { component } = plan.config;
  const body = `
${locate}
${matrices.rowSetup('block')}
${coveredRange(`
  for (var query = thread; query < ${queries}u; query += THREADS) {
    let known = query_facts(batch, query, 0u);
    if (known.z < first_row + ${matrices.blockRows}u && known.w > first_row) { cover(query, query + 1u); }
  }`)}
${matrices.stage('block_a', k, 'first_row')}
${matrices.stage('block_b', v, 'first_row')}
${matrices.declareAccumulators('dk')}
${matrices.declareAccumulators('dv')}
  for (var head = kv_head * ${group}u; head < (kv_head + 1u) * ${group}u; head++) {
  for (var first_column = range.x; first_column < range.y; first_column += COLUMNS) {
    workgroupBarrier();
${matrices.stage('tile_a', q, 'first_column')}
${matrices.stage('tile_b', dOutput, 'first_column')}
    for (var c = thread; c < COLUMNS; c += THREADS) { column_facts[c] = query_facts(batch, first_column + c, head); }
    workgroupBarrier();
${matrices.products('scores', 'block_a', 'tile_a')}
${matrices.products('others', 'block_b', 'tile_b')}
    workgroupBarrier();
${matrices.eachColumn(`      let known = column_facts[c];
      let seen = (row >= known.z) & (row < known.w);
      let p = nan_keeping_exp(${matrices.at('scores')} * ${scale} - bitcast<f32>(known.x));
      let ds = p * (${matrices.at('others')} - bitcast<f32>(known.y)) * ${scale};
      ${matrices.at('weights')} = ${component}(select(0.0f, p, seen));
      ${matrices.at('other_weights')} = ${component}(select(0.0f, ds, seen));`)}
    workgroupBarrier();
${matrices.accumulate('dv', 'weights', 'tile_b')}
${matrices.accumulate('dk', 'other_weights', 'tile_a')}
  }
  }
${matrices.storeRows('dk', dk, '1.0f')}
${matrices.storeRows('dv', dv, '1.0f')}`;
  const functions = `${coveredRangeWgsl(queries)}
${factsFunction(facts, kernel)}
${nanKeepingExpWgsl('f32')}
var<workgroup> column_facts: array<vec4u, ${plan.columns}>;`;
  const code = matrices.module({ bindings, functions }, body);
  return { label: 'attentionGrad dk dv by matrices', code, bindings: bindings.bindings, workgroups };
}
