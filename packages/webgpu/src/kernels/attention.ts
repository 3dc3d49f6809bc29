/**
 * @file Fused attention with an interval of keys per query: q, output [batch, queries, heads, headDim];
 * k, v [batch (or, shared, 1), keys, kvHeads, headDim]; begin, end i32 [batch, queries]; lse [batch, queries, heads].
 * output = softmax(scale q k^T over begin <= j < end) v, lse = log sum exp of those scores; an empty interval gives 0, 0.
 */
import type { AttentionKernel } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  F32_MAX,
  f32Literal,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';
import { AttentionTiles, NAN_KEEPING_EXP_WGSL, planTiles, QUAD, type TilePlan, unroll } from './attention-tiles.js';
import { numericsWgsl } from './numerics.js';

/**
 * One workgroup for each batch, head and block of queries walks over the tiles of keys that its intervals touch, with a
 * running maximum and sum for each query (Dao et al. 2022, https://arxiv.org/abs/2205.14135, algorithm 1): scores are
 * never in storage.
 */
export function lowerAttention(
  kernel: AttentionKernel,
  context: LoweringContext,
  plan: TilePlan = planTiles(kernel.queries, kernel.headDim, context.device),
): Dispatch[] {
  const { batch, queries, keys, heads, kvHeads, scale } = kernel;
  const tiles = new AttentionTiles(kernel, plan);
  const bindings = new BindingSet(context);
  const q = tiles.operand(bindings, kernel.q, 'q', 'query');
  const k = tiles.operand(bindings, kernel.k, 'k', 'key');
  const v = tiles.operand(bindings, kernel.v, 'v', 'key');
  const begin = bindings.buffer(kernel.begin, 'interval_begin', 'i32');
  const end = bindings.buffer(kernel.end, 'interval_end', 'i32');
  const output = tiles.operand(bindings, kernel.output, 'output', 'query');
  const lse = bindings.buffer(kernel.lse, 'lse');

  const blocks = Math.ceil(queries / tiles.blockRows);
  const total = batch * heads * blocks;
  const workgroups = splitGrid(total, context.device);
  const accumulators = tiles.accumulators('o');
  const column = (j: number) => `i32(first_column + lane + ${j}u * LANES)`;

  const code = `${bindings.declarations()}
${tiles.declarations()}
var<workgroup> row_maxima: array<vec4f, ${tiles.threads}>;
var<workgroup> row_sums: array<vec4f, ${tiles.threads}>;
// Not above any score, yet finite: -infinity - -infinity is NaN.
const LOWEST = -${F32_MAX};
${tiles.coverFunction(keys)}
${numericsWgsl(['precise_log'])}
${NAN_KEEPING_EXP_WGSL}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
  let position = ${linearWorkgroup(workgroups)};
  if (position >= ${total}u) { return; }
  let block = position % ${blocks}u;
  let head = position / ${blocks}u % ${heads}u;
  let batch = position / ${blocks * heads}u;
  let kv_head = head / ${heads / kvHeads}u;
${tiles.rowSetup(q, 'block')}
  var begins = vec4i();
  var ends = vec4i();
${tiles.coveredRange(`
  for (var i = 0u; i < 4u; i++) {
    if (first_row + i < ${queries}u) {
      let low = clamp(${begin.at(`batch * ${queries}u + first_row + i`)}, 0, ${keys});
      let high = clamp(${end.at(`batch * ${queries}u + first_row + i`)}, 0, ${keys});
      if (low < high) {
        begins[i] = low;
        ends[i] = high;
        cover(u32(low), u32(high));
      }
    }
  }`)}
  var running_max = vec4f(LOWEST);
  var running_sum = vec4f();
${tiles.declareAccumulators('o')}

  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
${unroll(4, (i) => `    var s${i} = vec4f();`)}
${tiles.products('s', q, k)}
    let columns = vec4i(${QUAD.map(column).join(', ')});
${unroll(4, (i) => `    let seen${i} = (columns >= vec4i(begins[${i}])) & (columns < vec4i(ends[${i}]));`)}
${unroll(4, (i) => `    s${i} = select(vec4f(LOWEST), s${i} * ${f32Literal(scale)}, seen${i});`)}
    row_maxima[thread] = vec4f(${QUAD.map((i) => `max(max(s${i}.x, s${i}.y), max(s${i}.z, s${i}.w))`).join(', ')});
    workgroupBarrier();
    var new_max = running_max;
    for (var i = 0u; i < LANES; i++) { new_max = max(new_max, row_maxima[quad * LANES + i]); }
    let shrink = nan_keeping_exp(running_max - new_max);
    running_max = new_max;
${unroll(4, (i) => `    s${i} = select(vec4f(), nan_keeping_exp(s${i} - new_max[${i}]), seen${i});`)}
    row_sums[thread] = vec4f(${QUAD.map((i) => `s${i}.x + s${i}.y + s${i}.z + s${i}.w`).join(', ')});
${tiles.storeWeights('s')}
${plan.staged ? tiles.stage(v, 0, Math.min(plan.chunk, tiles.width)) : ''}
${accumulators.map(({ variable }) => `    ${QUAD.map((i) => `${variable(i)} *= shrink[${i}];`).join(' ')}`).join('\n')}
${tiles.accumulate('o', v, { inTile: true })}
    running_sum *= shrink;
    for (var i = 0u; i < LANES; i++) { running_sum += row_sums[quad * LANES + i]; }
  }

  let empty = begins >= ends;
  let factor = select(1.0 / running_sum, vec4f(), empty);
  if (lane == 0u) {
    for (var i = 0u; i < 4u; i++) {
      if (first_row + i < ${queries}u) {
        let row_lse = select(running_max[i] + precise_log(running_sum[i]), 0.0, empty[i]);
        ${lse.set(`(batch * ${queries}u + first_row + i) * ${heads}u + head`, 'row_lse')}
      }
    }
  }
${tiles.storeRows('o', output, (i) => `factor[${i}]`)}
}
`;
  return [{ label: 'attention', code, bindings: bindings.bindings, workgroups }];
}
