/**
 * @file The gradient of fused attention (attention.ts has the shapes), with the probabilities computed again from lse:
 * p = exp(scale q k^T - lse), ds = p (dOutput v^T - delta) scale; dq = ds k; dk = ds^T q; dv = p^T dOutput, the last two
 * summed over the query heads that share a key/value head (Dao et al. 2022, https://arxiv.org/abs/2205.14135,
 * algorithm 4). Workgroups that own what they sum need no atomics, so sums have a fixed order.
 */
import type { AttentionGradKernel } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  f32Literal,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  type StorageArray,
  splitGrid,
} from '../lowering.js';
import { AttentionTiles, NAN_KEEPING_EXP_WGSL, planTiles, QUAD, type TilePlan, unroll } from './attention-tiles.js';
import { threadDispatch } from './thread-dispatch.js';

/**
 * Three dispatches: what a query row needs to know, packed (a shader stage may have as few as 8 storage buffers); dq, a
 * block of queries in each workgroup; dk and dv, a block of keys in each workgroup.
 */
export function lowerAttentionGrad(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plans: { query: TilePlan; key: TilePlan } = {
    query: planTiles(kernel.queries, kernel.headDim, context.device),
    key: planTiles(kernel.keys, kernel.headDim, context.device),
  },
): Dispatch[] {
  const facts = context.scratch(16 * kernel.batch * kernel.queries * kernel.heads);
  return [
    lowerFacts(kernel, context, facts),
    lowerQueryGrad(kernel, context, plans.query, facts),
    lowerKeyValueGrad(kernel, context, plans.key, facts),
  ];
}

/**
 * facts [batch, queries, heads] of 4 words: lse and delta (bits of f32), begin and end, clamped to [0, keys] and both 0
 * where the interval is empty.
 */
function lowerFacts(kernel: AttentionGradKernel, context: LoweringContext, scratch: number): Dispatch {
  const { batch, queries, keys, heads } = kernel;
  const bindings = new BindingSet(context);
  const begin = bindings.buffer(kernel.begin, 'interval_begin', 'i32');
  const end = bindings.buffer(kernel.end, 'interval_end', 'i32');
  const lse = bindings.buffer(kernel.lse, 'lse');
  const delta = bindings.buffer(kernel.delta, 'delta');
  const facts = bindings.scratch(scratch, 'facts', 'u32');
  const body = `
  let low = u32(clamp(${begin.at(`index / ${heads}u`)}, 0, ${keys}));
  let high = u32(clamp(${end.at(`index / ${heads}u`)}, 0, ${keys}));
  ${facts.set('index * 4u', `bitcast<u32>(${lse.at('index')})`)}
  ${facts.set('index * 4u + 1u', `bitcast<u32>(${delta.at('index')})`)}
  ${facts.set('index * 4u + 2u', 'select(0u, low, low < high)')}
  ${facts.set('index * 4u + 3u', 'select(0u, high, low < high)')}`;
  const { device } = context;
  return threadDispatch({ label: 'attentionGrad facts', count: batch * queries * heads, bindings, body, device });
}

/** WGSL reading the facts of query `query` into a vec4u; a query past the end has an empty interval. */
function factsFunction(facts: StorageArray, kernel: AttentionGradKernel): string {
  return `
fn query_facts(batch: u32, query: u32, head: u32) -> vec4u {
  if (query >= ${kernel.queries}u) { return vec4u(); }
  let at = ((batch * ${kernel.queries}u + query) * ${kernel.heads}u + head) * 4u;
  return vec4u(${QUAD.map((i) => facts.at(`at + ${i}u`)).join(', ')});
}`;
}

function lowerQueryGrad(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: TilePlan,
  scratch: number,
): Dispatch {
  const { batch, queries, keys, heads, kvHeads } = kernel;
  const scale = f32Literal(kernel.scale);
  const tiles = new AttentionTiles(kernel, plan);
  const bindings = new BindingSet(context);
  const q = tiles.operand(bindings, kernel.q, 'q', 'query');
  const k = tiles.operand(bindings, kernel.k, 'k', 'key');
  const v = tiles.operand(bindings, kernel.v, 'v', 'key');
  const dOutput = tiles.operand(bindings, kernel.dOutput, 'd_output', 'query');
  const dq = tiles.operand(bindings, kernel.dq, 'dq', 'query');
  const facts = bindings.scratch(scratch, 'facts', 'u32');

  const blocks = Math.ceil(queries / tiles.blockRows);
  const total = batch * heads * blocks;
  const workgroups = splitGrid(total, context.device);

  const code = `${bindings.declarations()}
${tiles.declarations()}
${tiles.coverFunction(keys)}
${factsFunction(facts, kernel)}
${NAN_KEEPING_EXP_WGSL}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
  let position = ${linearWorkgroup(workgroups)};
  if (position >= ${total}u) { return; }
  let block = position % ${blocks}u;
  let head = position / ${blocks}u % ${heads}u;
  let batch = position / ${blocks * heads}u;
  let kv_head = head / ${heads / kvHeads}u;
${tiles.rowSetup(q, 'block')}
${unroll(4, (i) => `  let facts${i} = query_facts(batch, first_row + ${i}u, head);`)}
${tiles.coveredRange(unroll(4, (i) => `  if (facts${i}.z < facts${i}.w) { cover(facts${i}.z, facts${i}.w); }`))}
${tiles.declareAccumulators('dq')}

  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
    let columns = vec4u(${QUAD.map((j) => `first_column + lane + ${j}u * LANES`).join(', ')});
${unroll(4, (i) => `    var dp${i} = vec4f();\n    var s${i} = vec4f();`)}
${tiles.products('dp', dOutput, v)}
${tiles.products('s', q, k)}
${unroll(
  4,
  (i) => `    {
      let seen = (columns >= vec4u(facts${i}.z)) & (columns < vec4u(facts${i}.w));
      let p = nan_keeping_exp(s${i} * ${scale} - bitcast<f32>(facts${i}.x));
      s${i} = select(vec4f(), p * (dp${i} - bitcast<f32>(facts${i}.y)) * ${scale}, seen);
    }`,
)}
${plan.staged ? '' : '    workgroupBarrier();'}
${tiles.storeWeights('s')}
${tiles.accumulate('dq', k, { inTile: tiles.singleChunk })}
  }
${tiles.storeRows('dq', dq, () => '1.0')}
}
`;
  return { label: 'attentionGrad dq', code, bindings: bindings.bindings, workgroups };
}

function lowerKeyValueGrad(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: TilePlan,
  scratch: number,
): Dispatch {
  const { batch, queries, keys, heads, kvHeads } = kernel;
  const scale = f32Literal(kernel.scale);
  const group = heads / kvHeads;
  const tiles = new AttentionTiles(kernel, plan);
  const bindings = new BindingSet(context);
  const q = tiles.operand(bindings, kernel.q, 'q', 'query');
  const k = tiles.operand(bindings, kernel.k, 'k', 'key');
  const v = tiles.operand(bindings, kernel.v, 'v', 'key');
  const dOutput = tiles.operand(bindings, kernel.dOutput, 'd_output', 'query');
  const dk = tiles.operand(bindings, kernel.dk, 'dk', 'key');
  const dv = tiles.operand(bindings, kernel.dv, 'dv', 'key');
  const facts = bindings.scratch(scratch, 'facts', 'u32');

  const blocks = Math.ceil(keys / tiles.blockRows);
  const total = batch * kvHeads * blocks;
  const workgroups = splitGrid(total, context.device);

  const code = `${bindings.declarations()}
${tiles.declarations()}
${tiles.coverFunction(queries)}
${factsFunction(facts, kernel)}
${NAN_KEEPING_EXP_WGSL}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
  let position = ${linearWorkgroup(workgroups)};
  if (position >= ${total}u) { return; }
  let block = position % ${blocks}u;
  let kv_head = position / ${blocks}u % ${kvHeads}u;
  let batch = position / ${blocks * kvHeads}u;
${tiles.rowSetup(k, 'block')}
  let rows = vec4u(${QUAD.map((i) => `first_row + ${i}u`).join(', ')});
${tiles.coveredRange(`
  for (var query = thread; query < ${queries}u; query += ${tiles.threads}u) {
    let known = query_facts(batch, query, 0u);
    if (known.z < (block + 1u) * ${tiles.blockRows}u && known.w > block * ${tiles.blockRows}u) { cover(query, query + 1u); }
  }`)}
${tiles.declareAccumulators('dk')}
${tiles.declareAccumulators('dv')}

  for (var head = kv_head * ${group}u; head < (kv_head + 1u) * ${group}u; head++) {
  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
${unroll(4, (j) => `    let facts${j} = query_facts(batch, first_column + lane + ${j}u * LANES, head);`)}
    let lse = bitcast<vec4f>(vec4u(${QUAD.map((j) => `facts${j}.x`).join(', ')}));
    let delta = bitcast<vec4f>(vec4u(${QUAD.map((j) => `facts${j}.y`).join(', ')}));
    let begins = vec4u(${QUAD.map((j) => `facts${j}.z`).join(', ')});
    let ends = vec4u(${QUAD.map((j) => `facts${j}.w`).join(', ')});
${unroll(4, (i) => `    var s${i} = vec4f();\n    var dp${i} = vec4f();`)}
${tiles.products('s', k, q)}
${tiles.products('dp', v, dOutput)}
${unroll(
  4,
  (i) => `    {
      let seen = (vec4u(rows[${i}]) >= begins) & (vec4u(rows[${i}]) < ends);
      s${i} = select(vec4f(), nan_keeping_exp(s${i} * ${scale} - lse), seen);
      dp${i} = select(vec4f(), s${i} * (dp${i} - delta) * ${scale}, seen);
    }`,
)}
${plan.staged ? '' : '    workgroupBarrier();'}
${tiles.storeWeights('s')}
${tiles.accumulate('dv', dOutput, { inTile: tiles.singleChunk })}
    workgroupBarrier();
${tiles.storeWeights('dp')}
${tiles.accumulate('dk', q, { inTile: false })}
  }
  }
${tiles.storeRows('dk', dk, () => '1.0')}
${tiles.storeRows('dv', dv, () => '1.0')}
}
`;
  return { label: 'attentionGrad dk dv', code, bindings: bindings.bindings, workgroups };
}
