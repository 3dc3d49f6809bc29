/** @file Attention with scores in registers (attention.ts has the shapes). */
import type { AttentionKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, F32_MAX, f32Literal, type LoweringContext, mainHeader } from '../../lowering.js';
import { numericsWgsl } from '../numerics.js';
import { blockGrid } from './block-grid.js';
import { coveredRange, coveredRangeWgsl } from './covered-range.js';
import type { TilePlan } from './plan.js';
import { AttentionTiles, nanKeepingExpWgsl, QUAD, unroll } from './tiles.js';

/**
 * One workgroup for each batch, head and block of queries walks over the tiles of keys that its intervals touch, with a
 * running maximum and sum for each query (Dao et al. 2022, https://arxiv.org/abs/2205.14135, algorithm 1): scores are
 * never in storage.
 */
export function forwardByTiles(kernel: AttentionKernel, context: LoweringContext, plan: TilePlan): Dispatch {
  const { queries, keys, heads, scale } = kernel;
  const tiles = new AttentionTiles(kernel, plan);
  const bindings = new BindingSet(context);
  const q = tiles.operand(bindings, kernel.q, 'q', 'query');
  const k = tiles.operand(bindings, kernel.k, 'k', 'key');
  const v = tiles.operand(bindings, kernel.v, 'v', 'key');
  const begin = bindings.buffer(kernel.begin, 'interval_begin', 'i32');
  const end = bindings.buffer(kernel.end, 'interval_end', 'i32');
  const output = tiles.operand(bindings, kernel.output, 'output', 'query');
  const lse = bindings.buffer(kernel.lse, 'lse');

  const { blockRows } = tiles;
  const { workgroups, locate } = blockGrid(kernel, 'query', { blockRows, device: context.device });
  const accumulators = tiles.accumulators('o');
  const { rows, rowQuads, columnQuads } = tiles;
  // Threads of a strip exchange what each has of the rows.
  const shared = (array: string, thread: string, quad: number) =>
    `${array}[(${thread}) * ${rowQuads.length}u + ${quad}u]`;
  const eachQuad = (line: (quad: number) => string) => unroll(rowQuads.length, line);
  const overColumns = (combine: (a: string, b: string) => string, row: number) =>
    columnQuads
      .flatMap((quad) => QUAD.map((j) => `${tiles.score('s', row, quad)}[${j}]`))
      .reduce((a, b) => combine(a, b));

  const code = `${bindings.declarations()}
${tiles.declarations()}
var<workgroup> row_maxima: array<vec4f, ${tiles.threads * rowQuads.length}>;
var<workgroup> row_sums: array<vec4f, ${tiles.threads * rowQuads.length}>;
// Not above any score, yet finite: -infinity - -infinity is NaN.
const LOWEST = -${F32_MAX};
${coveredRangeWgsl(keys)}
${numericsWgsl(['precise_log'])}
${nanKeepingExpWgsl('vec4f')}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
${locate}
${tiles.rowSetup(q, 'block')}
${eachQuad((quad) => `  var begins${quad} = vec4i();\n  var ends${quad} = vec4i();`)}
${coveredRange(
  eachQuad(
    (quad) => `
  for (var i = 0u; i < 4u; i++) {
    let row = first_row + ${4 * quad}u + i;
    if (row < ${queries}u) {
      let low = clamp(${begin.at(`batch * ${queries}u + row`)}, 0, ${keys});
      let high = clamp(${end.at(`batch * ${queries}u + row`)}, 0, ${keys});
      if (low < high) {
        begins${quad}[i] = low;
        ends${quad}[i] = high;
        cover(u32(low), u32(high));
      }
    }
  }`,
  ),
)}
${eachQuad((quad) => `  var running_max${quad} = vec4f(LOWEST);\n  var running_sum${quad} = vec4f();`)}
${tiles.declareAccumulators('o')}

  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
${tiles.declareScores('s')}
${tiles.products('s', q, k)}
${unroll(columnQuads.length, (quad) => `    let columns${quad} = ${tiles.columnPlaces('vec4i', quad)};`)}
${tiles.eachScore((i, quad) => {
  const [low, high] = ['begins', 'ends'].map((each) => `vec4i(${tiles.ofRow(each, i)})`);
  const score = tiles.score('s', i, quad);
  return `    let seen${i}_${quad} = (columns${quad} >= ${low}) & (columns${quad} < ${high});
    ${score} = select(vec4f(LOWEST), ${score} * ${f32Literal(scale)}, seen${i}_${quad});`;
})}
${tiles.overRows(
  (quad, value) => `    ${shared('row_maxima', 'thread', quad)} = ${value};`,
  (row) => overColumns((a, b) => `max(${a}, ${b})`, row),
)}
    workgroupBarrier();
${eachQuad((quad) => `    var new_max${quad} = running_max${quad};`)}
    for (var i = 0u; i < LANES; i++) {
${eachQuad((quad) => `      new_max${quad} = max(new_max${quad}, ${shared('row_maxima', 'strip * LANES + i', quad)});`)}
    }
${eachQuad(
  (quad) => `    let shrink${quad} = nan_keeping_exp(running_max${quad} - new_max${quad});
    running_max${quad} = new_max${quad};`,
)}
${tiles.eachScore((i, quad) => {
  const score = tiles.score('s', i, quad);
  return `    ${score} = select(vec4f(), nan_keeping_exp(${score} - ${tiles.ofRow('new_max', i)}), seen${i}_${quad});`;
})}
${tiles.overRows(
  (quad, value) => `    ${shared('row_sums', 'thread', quad)} = ${value};`,
  (row) => overColumns((a, b) => `${a} + ${b}`, row),
)}
${tiles.storeWeights('s')}
${plan.staged ? tiles.stage(v, 0, Math.min(plan.chunk, tiles.width)) : ''}
${accumulators.map(({ variable }) => unroll(rows, (i) => `    ${variable(i)} *= ${tiles.ofRow('shrink', i)};`)).join('\n')}
${tiles.accumulate('o', v, { inTile: true })}
${eachQuad((quad) => `    running_sum${quad} *= shrink${quad};`)}
    for (var i = 0u; i < LANES; i++) {
${eachQuad((quad) => `      running_sum${quad} += ${shared('row_sums', 'strip * LANES + i', quad)};`)}
    }
  }

${eachQuad(
  (quad) => `  let empty${quad} = begins${quad} >= ends${quad};
  let factor${quad} = select(1.0 / running_sum${quad}, vec4f(), empty${quad});`,
)}
  if (lane == 0u) {
${eachQuad(
  (quad) => `
    for (var i = 0u; i < 4u; i++) {
      let row = first_row + ${4 * quad}u + i;
      if (row < ${queries}u) {
        let row_lse = select(running_max${quad}[i] + precise_log(running_sum${quad}[i]), 0.0, empty${quad}[i]);
        ${lse.set(`(batch * ${queries}u + row) * ${heads}u + head`, 'row_lse')}
      }
    }`,
)}
  }
${tiles.storeRows('o', output, (i) => tiles.ofRow('factor', i))}
}
`;
  return { label: 'attention', code, bindings: bindings.bindings, workgroups };
}
