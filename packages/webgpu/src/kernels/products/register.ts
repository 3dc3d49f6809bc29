/**
 * @file The product for software adapters without subgroups, and for devices whose workgroups are too small for the tiled one:
 * each invocation keeps 4 x 4 of the output in registers and reads operands straight from storage. On SwiftShader 2.4
 * GFLOP/s at 512; multiply and add apart, since its fused multiply-add takes half as long again.
 */
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { type Product, storeWgsl } from './product.js';

/** Rows per invocation, columns per invocation, and lanes, whose columns are side by side. */
const ROWS = 4;
const COLUMNS = 4;
const LANES = 32;
/** Steps of k in one turn of the loop. */
const UNROLL = 4;

export function lowerRegister(product: Product, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = product;
  const tileRows = Math.min(ROWS, m);
  const tileColumns = Math.min(COLUMNS, Math.ceil(n / LANES));
  const tilesM = Math.ceil(m / tileRows);
  const tilesN = Math.ceil(n / (LANES * tileColumns));
  const tiles = batch * tilesM * tilesN;
  const rows = [...Array(tileRows).keys()];
  const columns = [...Array(tileColumns).keys()];

  const bindings = new BindingSet(context);
  const a = product.a.bind(bindings, 'scalar');
  const b = product.b.bind(bindings, 'scalar');
  const store = storeWgsl(product, context, bindings);
  const grid = splitGrid(tiles, context.device);
  const step = (u: number) => `
    ${a.depth(`ka${u}`, `k + ${u}u`)} ${b.depth(`kb${u}`, `k + ${u}u`)}
    ${rows.map((i) => `let a${i}_${u} = ${a.at(`row${i}`, `ka${u}`)};`).join(' ')}
    ${columns.map((j) => `let b${j}_${u} = ${b.at(`column${j}`, `kb${u}`)};`).join(' ')}
    ${rows.flatMap((i) => columns.map((j) => `sum${i}_${j} += a${i}_${u} * b${j}_${u};`)).join(' ')}`;
  const whole = k - (k % UNROLL);
  const code = `${bindings.declarations()}
${a.functions}
${b.functions}
${store}
${mainHeader(LANES)} {
  let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  let first_column = tile % ${tilesN}u * ${LANES * tileColumns}u + lane;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${tileRows}u;
  let batch = tile / ${tilesN * tilesM}u;
${rows.map((i) => `  ${a.side(`row${i}`, 'batch', within(`first_row + ${i}u`, m, m % tileRows === 0))}`).join('\n')}
${columns.map((j) => `  ${b.side(`column${j}`, 'batch', within(`first_column + ${j * LANES}u`, n, n % (LANES * tileColumns) === 0))}`).join('\n')}
${rows.flatMap((i) => columns.map((j) => `  var sum${i}_${j} = 0.0f;`)).join('\n')}
  for (var k = 0u; k < ${whole}u; k += ${UNROLL}u) {${[...Array(UNROLL).keys()].map(step).join('')}
  }
  for (var k = ${whole}u; k < ${k}u; k++) {${step(0)}
  }
${storeTile({ rows: tileRows, columns: tileColumns, lanes: LANES, m, n })}
}`;
  return [{ label: `${product.label} register`, code, bindings: bindings.bindings, workgroups: grid }];
}

/** Rows and columns past the end repeat the last one and are not stored. */
export function within(position: string, length: number, exact: boolean): string {
  return exact ? position : `min(${position}, ${length - 1}u)`;
}

/** Stores sum{i}_{j}: rows first_row + i, columns first_column + j lanes, those that are inside. */
export function storeTile(tile: { rows: number; columns: number; lanes: number; m: number; n: number }): string {
  const { rows, columns, lanes, m, n } = tile;
  const lines: string[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const conditions = [
        ...(m % rows === 0 ? [] : [`(first_row + ${i}u < ${m}u)`]),
        ...(n % (lanes * columns) === 0 ? [] : [`(first_column + ${j * lanes}u < ${n}u)`]),
      ];
      const store = `store(batch, first_row + ${i}u, first_column + ${j * lanes}u, sum${i}_${j});`;
      lines.push(conditions.length > 0 ? `  if (${conditions.join(' & ')}) { ${store} }` : `  ${store}`);
    }
  }
  return lines.join('\n');
}
