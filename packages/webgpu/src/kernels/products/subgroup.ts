/**
 * @file The product for software adapters with subgroups: an invocation keeps 8 x 4 of the output in registers; as every
 * load of a lane is a gather there, the lanes of a subgroup each load one element of a and pass it round. On SwiftShader
 * 4.7 GFLOP/s at 512, against 2.4 without passing round.
 */
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  type LoweringDevice,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { type Product, storeWgsl } from './product.js';
import { storeTile, within } from './register.js';

const ROWS = 8;
const COLUMNS = 4;
const LANES = 32;

/** Whether all subgroups have one known size that divides the workgroup, and there are enough rows. */
export function subgroupFits({ m, k }: Product, device: LoweringDevice): boolean {
  const { subgroups, subgroupMinSize, subgroupMaxSize } = device;
  return subgroups && subgroupMinSize === subgroupMaxSize && LANES % subgroupMaxSize === 0 && m >= ROWS && k >= 16;
}

export function lowerSubgroup(product: Product, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = product;
  const size = context.device.subgroupMaxSize;
  const tileColumns = Math.min(COLUMNS, Math.ceil(n / LANES));
  const tilesM = Math.ceil(m / ROWS);
  const tilesN = Math.ceil(n / (LANES * tileColumns));
  const tiles = batch * tilesM * tilesN;
  const rows = [...Array(ROWS).keys()];
  const columns = [...Array(tileColumns).keys()];

  const bindings = new BindingSet(context);
  const a = product.a.bind(bindings, 'scalar');
  const b = product.b.bind(bindings, 'scalar');
  const store = storeWgsl(product, context, bindings);
  const grid = splitGrid(tiles, context.device);
  /** Sums over `count` steps of k from `k` on, each lane having loaded a at its own. */
  const steps = (count: number) => `
    ${a.depth('ka', count === size ? 'k + subgroup_lane' : `min(k + subgroup_lane, ${k - 1}u)`)}
    ${rows.map((i) => `let a${i} = ${a.at(`row${i}`, 'ka')};`).join(' ')}${[...Array(count).keys()]
      .map(
        (u) => `
    ${b.depth(`kb${u}`, `k + ${u}u`)}
    ${columns.map((j) => `let b${j}_${u} = ${b.at(`column${j}`, `kb${u}`)};`).join(' ')}
    ${rows.map((i) => `let a${i}_${u} = subgroupBroadcast(a${i}, ${u}u);`).join(' ')}
    ${rows.flatMap((i) => columns.map((j) => `sum${i}_${j} += a${i}_${u} * b${j}_${u};`)).join(' ')}`,
      )
      .join('')}`;
  const whole = k - (k % size);
  const code = `enable subgroups;
${bindings.declarations()}
${a.functions}
${b.functions}
${store}
${mainHeader(LANES).replace('lane: u32)', 'lane: u32, @builtin(subgroup_invocation_id) subgroup_lane: u32)')} {
  let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  let first_column = tile % ${tilesN}u * ${LANES * tileColumns}u + lane;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${ROWS}u;
  let batch = tile / ${tilesN * tilesM}u;
${rows.map((i) => `  ${a.side(`row${i}`, 'batch', within(`first_row + ${i}u`, m, m % ROWS === 0))}`).join('\n')}
${columns.map((j) => `  ${b.side(`column${j}`, 'batch', within(`first_column + ${j * LANES}u`, n, n % (LANES * tileColumns) === 0))}`).join('\n')}
${rows.flatMap((i) => columns.map((j) => `  var sum${i}_${j} = 0.0f;`)).join('\n')}
  for (var k = 0u; k < ${whole}u; k += ${size}u) {${steps(size)}
  }
${whole < k ? `  { let k = ${whole}u;${steps(k - whole)}\n  }` : ''}
${storeTile({ rows: ROWS, columns: tileColumns, lanes: LANES, m, n })}
}`;
  return [{ label: `${product.label} subgroup`, code, bindings: bindings.bindings, workgroups: grid }];
}
