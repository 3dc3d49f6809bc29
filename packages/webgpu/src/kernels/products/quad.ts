/**
 * @file The product for software adapters with subgroups: an invocation keeps 8 x 4 of the output in registers; as every
 * load costs much there, the four lanes of a quad each load one step of a and swap. On SwiftShader 5.9 GFLOP/s at 1024,
 * against 2.2 where every lane loads what it needs.
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
const LANES = 16;

/** What a lane gets from the lane `distance` away in its quad: lane ^ distance. */
const SWAPS = [
  (value: string) => value,
  (value: string) => `quadSwapX(${value})`,
  (value: string) => `quadSwapY(${value})`,
  (value: string) => `quadSwapDiagonal(${value})`,
];
const QUAD = SWAPS.length;

/** Whether there are quads, and rows enough. */
export function quadFits({ m, k }: Product, device: LoweringDevice): boolean {
  return device.subgroups && device.subgroupMinSize >= QUAD && m >= ROWS && k >= 16;
}

export function lowerQuad(product: Product, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = product;
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
  const loadB = (position: string, u: number) =>
    `${b.depth(`kb${u}`, position)} ${columns.map((j) => `let b${j}_${u} = ${b.at(`column${j}`, `kb${u}`)};`).join(' ')}`;
  const addProducts = (rowOf: (row: string) => string, u: number) =>
    rows.map((i) => `let a${i}_${u} = ${rowOf(`a${i}`)};`).join(' ') +
    rows.flatMap((i) => columns.map((j) => ` sum${i}_${j} += a${i}_${u} * b${j}_${u};`)).join('');
  const loadA = (position: string) =>
    `${a.depth('ka', position)} ${rows.map((i) => `let a${i} = ${a.at(`row${i}`, 'ka')};`).join(' ')}`;
  const whole = k - (k % QUAD);
  const code = `enable subgroups;
${bindings.declarations()}
${a.functions}
${b.functions}
${store}
${mainHeader(LANES).replace('lane: u32)', 'lane: u32, @builtin(subgroup_invocation_id) subgroup_lane: u32)')} {
  let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  let quad_lane = subgroup_lane % ${QUAD}u;
  let first_column = tile % ${tilesN}u * ${LANES * tileColumns}u + lane;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${ROWS}u;
  let batch = tile / ${tilesN * tilesM}u;
${rows.map((i) => `  ${a.side(`row${i}`, 'batch', within(`first_row + ${i}u`, m, m % ROWS === 0))}`).join('\n')}
${columns.map((j) => `  ${b.side(`column${j}`, 'batch', within(`first_column + ${j * LANES}u`, n, n % (LANES * tileColumns) === 0))}`).join('\n')}
${rows.flatMap((i) => columns.map((j) => `  var sum${i}_${j} = 0.0f;`)).join('\n')}
  for (var k = 0u; k < ${whole}u; k += ${QUAD}u) {
    ${loadA('k + quad_lane')}
${SWAPS.map((swap, u) => `    ${loadB(`k + (quad_lane ^ ${u}u)`, u)}\n    ${addProducts(swap, u)}`).join('\n')}
  }
  for (var k = ${whole}u; k < ${k}u; k++) {
    ${loadA('k')}
    ${loadB('k', 0)}
    ${addProducts(SWAPS[0], 0)}
  }
${storeTile({ rows: ROWS, columns: tileColumns, lanes: LANES, m, n })}
}`;
  return [{ label: `${product.label} quad`, code, bindings: bindings.bindings, workgroups: grid }];
}
