/** @file The gradient of attention with scores in registers (attention.ts has the formulas). */
import type { AttentionGradKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, f32Literal, type LoweringContext, mainHeader } from '../../lowering.js';
import { blockGrid } from './block-grid.js';
import { coveredRange, coveredRangeWgsl } from './covered-range.js';
import type { TilePlan } from './plan.js';
import { factsFunction } from './query-facts.js';
import { AttentionTiles, nanKeepingExpWgsl, QUAD, unroll } from './tiles.js';

/** dq, a block of queries in each workgroup. @param scratch has the facts of all queries */
export function queryGradByTiles(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: TilePlan,
  scratch: number,
): Dispatch {
  const { keys } = kernel;
  const scale = f32Literal(kernel.scale);
  const tiles = new AttentionTiles(kernel, plan);
  const bindings = new BindingSet(context);
  const q = tiles.operand(bindings, kernel.q, 'q', 'query');
  const k = tiles.operand(bindings, kernel.k, 'k', 'key');
  const v = tiles.operand(bindings, kernel.v, 'v', 'key');
  const dOutput = tiles.operand(bindings, kernel.dOutput, 'd_output', 'query');
  const dq = tiles.operand(bindings, kernel.dq, 'dq', 'query');
  const facts = bindings.scratch(scratch, 'facts', 'u32');

  const { blockRows } = tiles;
  const { workgroups, locate } = blockGrid(kernel, 'query', { blockRows, device: context.device });

  const code = `${bindings.declarations()}
${tiles.declarations()}
${coveredRangeWgsl(keys)}
${factsFunction(facts, kernel)}
${nanKeepingExpWgsl('vec4f')}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
${locate}
${tiles.rowSetup(q, 'block')}
${unroll(tiles.rows, (i) => `  let facts${i} = query_facts(batch, first_row + ${i}u, head);`)}
${coveredRange(unroll(tiles.rows, (i) => `  if (facts${i}.z < facts${i}.w) { cover(facts${i}.z, facts${i}.w); }`))}
${tiles.declareAccumulators('dq')}

  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
${unroll(tiles.columnQuads.length, (quad) => `    let columns${quad} = ${tiles.columnPlaces('vec4u', quad)};`)}
${tiles.declareScores('dp')}
${tiles.declareScores('s')}
${tiles.products('dp', dOutput, v)}
${tiles.products('s', q, k)}
${tiles.eachScore((i, quad) => {
  const [s, dp] = ['s', 'dp'].map((name) => tiles.score(name, i, quad));
  return `    {
      let seen = (columns${quad} >= vec4u(facts${i}.z)) & (columns${quad} < vec4u(facts${i}.w));
      let p = nan_keeping_exp(${s} * ${scale} - bitcast<f32>(facts${i}.x));
      ${s} = select(vec4f(), p * (${dp} - bitcast<f32>(facts${i}.y)) * ${scale}, seen);
    }`;
})}
${plan.staged ? '' : '    workgroupBarrier();'}
${tiles.storeWeights('s')}
${tiles.accumulate('dq', k, { inTile: tiles.singleChunk })}
  }
${tiles.storeRows('dq', dq, () => '1.0')}
}
`;
  return { label: 'attentionGrad dq', code, bindings: bindings.bindings, workgroups };
}

/** dk and dv, a block of keys in each workgroup. @param scratch has the facts of all queries */
export function keyValueGradByTiles(
  kernel: AttentionGradKernel,
  context: LoweringContext,
  plan: TilePlan,
  scratch: number,
): Dispatch {
  const { queries, heads, kvHeads } = kernel;
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

  const factsOf = (quad: number, member: string) =>
    `vec4u(${QUAD.map((j) => `facts${4 * quad + j}.${member}`).join(', ')})`;
  const { blockRows } = tiles;
  const { workgroups, locate } = blockGrid(kernel, 'key', { blockRows, device: context.device });

  const code = `${bindings.declarations()}
${tiles.declarations()}
${coveredRangeWgsl(queries)}
${factsFunction(facts, kernel)}
${nanKeepingExpWgsl('vec4f')}

${mainHeader(tiles.threads).replace('lane: u32', 'thread: u32')} {
${locate}
${tiles.rowSetup(k, 'block')}
${coveredRange(`
  for (var query = thread; query < ${queries}u; query += ${tiles.threads}u) {
    let known = query_facts(batch, query, 0u);
    if (known.z < (block + 1u) * ${tiles.blockRows}u && known.w > block * ${tiles.blockRows}u) { cover(query, query + 1u); }
  }`)}
${tiles.declareAccumulators('dk')}
${tiles.declareAccumulators('dv')}

  for (var head = kv_head * ${group}u; head < (kv_head + 1u) * ${group}u; head++) {
  for (var first_column = range.x; first_column < range.y; first_column += ${tiles.tileColumns}u) {
${unroll(tiles.columns, (j) => `    let facts${j} = query_facts(batch, first_column + lane + ${j}u * LANES, head);`)}
${unroll(
  tiles.columnQuads.length,
  (quad) => `    let lse${quad} = bitcast<vec4f>(${factsOf(quad, 'x')});
    let delta${quad} = bitcast<vec4f>(${factsOf(quad, 'y')});
    let begins${quad} = ${factsOf(quad, 'z')};
    let ends${quad} = ${factsOf(quad, 'w')};`,
)}
${tiles.declareScores('s')}
${tiles.declareScores('dp')}
${tiles.products('s', k, q)}
${tiles.products('dp', v, dOutput)}
${tiles.eachScore((i, quad) => {
  const [s, dp] = ['s', 'dp'].map((name) => tiles.score(name, i, quad));
  return `    {
      let row = vec4u(first_row + ${i}u);
      let seen = (row >= begins${quad}) & (row < ends${quad});
      ${s} = select(vec4f(), nan_keeping_exp(${s} * ${scale} - lse${quad}), seen);
      ${dp} = select(vec4f(), ${s} * (${dp} - delta${quad}) * ${scale}, seen);
    }`;
})}
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
