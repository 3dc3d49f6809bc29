/**
 * @file Matrix product for software adapters: each invocation keeps a tile of the output in registers and reads operands
 * straight from storage. There, workgroup memory is ordinary memory and a barrier is costly. Also the variant for devices
 * whose workgroups are too small for the tiled one.
 */
import type { MatmulKernel } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { bindOperand, contiguousAlongK, type Operand, storeWgsl, widestAccess } from './problem.js';

/** Rows per invocation, columns per invocation, and lanes, whose columns are side by side. */
const ROWS = 4;
const COLUMNS = 4;
const LANES = 32;

export function lowerRegister(kernel: MatmulKernel, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = kernel;
  const tileRows = Math.min(ROWS, m);
  const tileColumns = Math.min(COLUMNS, Math.ceil(n / LANES));
  const tilesM = Math.ceil(m / tileRows);
  const tilesN = Math.ceil(n / (LANES * tileColumns));
  const tiles = batch * tilesM * tilesN;
  const rows = [...Array(tileRows).keys()];
  const columns = [...Array(tileColumns).keys()];

  const bindings = new BindingSet();
  const a = bindOperand({ kernel, side: 'a', access: alongK(kernel, 'a'), bindings });
  const b = bindOperand({ kernel, side: 'b', access: alongK(kernel, 'b'), bindings });
  const store = storeWgsl(kernel, context, bindings);
  const grid = splitGrid(tiles, context.device);

  // Rows and columns past the end repeat the last one and are not stored.
  const clamped = (name: string, length: number, exact: boolean) => (exact ? name : `min(${name}, ${length - 1}u)`);
  const step = (unrolled: number) => {
    const loads = [
      ...rows.map((i) => loadAlongK({ name: `a${i}`, operand: a, unrolled, at: (at) => a.at('batch', `row${i}`, at) })),
      ...columns.map((j) =>
        loadAlongK({ name: `b${j}`, operand: b, unrolled, at: (at) => b.at('batch', at, `column${j}`) }),
      ),
    ];
    const products = [...Array(unrolled).keys()].flatMap((u) =>
      rows.flatMap((i) => columns.map((j) => `sum${i}_${j} = fma(a${i}_${u}, b${j}_${u}, sum${i}_${j});`)),
    );
    return [...loads, ...products].map((line) => `    ${line}`).join('\n');
  };
  const whole = k - (k % 4);
  const code = `${bindings.declarations()}
${store}
${mainHeader(LANES)} {
  let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  let first_column = tile % ${tilesN}u * ${LANES * tileColumns}u + lane;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${tileRows}u;
  let batch = tile / ${tilesN * tilesM}u;
${rows.map((i) => `  let row${i} = ${clamped(`first_row + ${i}u`, m, m % tileRows === 0)};`).join('\n')}
${columns.map((j) => `  let column${j} = ${clamped(`first_column + ${j * LANES}u`, n, n % (LANES * tileColumns) === 0)};`).join('\n')}
${rows.flatMap((i) => columns.map((j) => `  var sum${i}_${j} = 0.0f;`)).join('\n')}
  for (var k = 0u; k < ${whole}u; k += 4u) {
${step(4)}
  }
  for (var k = ${whole}u; k < ${k}u; k++) {
${step(1)}
  }
${rows
  .flatMap((i) =>
    columns.map(
      (j) => `  if (first_row + ${i}u < ${m}u && first_column + ${j * LANES}u < ${n}u) {
    store(batch, first_row + ${i}u, first_column + ${j * LANES}u, sum${i}_${j});
  }`,
    ),
  )
  .join('\n')}
}`;
  const label = `matmul ${batch}x${m}x${n}x${k} register`;
  return [{ label, code, bindings: bindings.bindings, workgroups: grid }];
}

/** Four at once only along k, which is what an invocation walks along. */
function alongK(kernel: MatmulKernel, side: 'a' | 'b') {
  return contiguousAlongK(kernel, side) ? widestAccess(kernel, side) : 'scalar';
}

/** `let name_0 = ...` to `name_{unrolled - 1}`: the operand at k, k + 1, ... (vec4 access implies that k is a multiple of 4.) */
function loadAlongK(options: { name: string; operand: Operand; unrolled: number; at: (k: string) => string }): string {
  const { name, operand, unrolled, at } = options;
  if (operand.access === 'vec4') {
    const parts = [...Array(unrolled).keys()].map((u) => `let ${name}_${u} = ${name}[${u}];`);
    return [`let ${name} = ${at('k')};`, ...parts].join(' ');
  }
  return [...Array(unrolled).keys()].map((u) => `let ${name}_${u} = ${at(u === 0 ? 'k' : `k + ${u}u`)};`).join(' ');
}
