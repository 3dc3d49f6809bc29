/**
 * @file Matrix product with a few rows (decoding a token) for GPUs: bound by reading b once. A workgroup computes some
 * columns of all rows; its lanes share k, and a tree in workgroup memory adds their sums.
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

/** The most rows of a skinny product where nothing was measured, and at all: an invocation has a sum for each. */
export const SKINNY_ROWS = 4;
const MOST_SKINNY_ROWS = 16;

export function skinnyFits({ m }: Product, device: LoweringDevice): boolean {
  return m <= MOST_SKINNY_ROWS && lanesOf(device) * m * 4 <= device.maxWorkgroupStorageBytes;
}

function lanesOf({ maxInvocationsPerWorkgroup }: LoweringDevice): number {
  return maxInvocationsPerWorkgroup >= 256 ? 256 : 64;
}

export function lowerSkinny(product: Product, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = product;
  const lanes = lanesOf(context.device);
  // Neighbouring lanes read neighbouring memory of b: along k, or along the columns.
  const lanesAlongK = product.b.contiguous === 'depth' || n === 1;
  const columnsPerGroup = lanesAlongK ? lanes / 32 : lanes / 4;
  const share = lanes / columnsPerGroup;
  const groups = Math.ceil(n / columnsPerGroup);
  const rows = [...Array(m).keys()];

  const bindings = new BindingSet(context);
  const a = product.a.bind(bindings, 'scalar');
  const b = product.b.bind(bindings, 'scalar');
  const store = storeWgsl(product, context, bindings);
  const grid = splitGrid(batch * groups, context.device);
  const [columnOfLane, shareOfLane] = lanesAlongK
    ? [`lane / ${share}u`, `lane % ${share}u`]
    : [`lane % ${columnsPerGroup}u`, `lane / ${columnsPerGroup}u`];
  // Sums are laid out as [row, share, column], so that the tree halves the shares.
  const code = `${bindings.declarations()}
${a.functions}
${b.functions}
${store}
var<workgroup> sums: array<f32, ${lanes * m}>;
${mainHeader(lanes)} {
  let item = ${linearWorkgroup(grid)};
  if (item >= ${batch * groups}u) { return; }
  let batch = item / ${groups}u;
  let local_column = ${columnOfLane};
  let part = ${shareOfLane};
  let column = item % ${groups}u * ${columnsPerGroup}u + local_column;
  let slot = part * ${columnsPerGroup}u + local_column;
${rows.map((i) => `  var sum${i} = 0.0f;`).join('\n')}
${rows.map((i) => `  ${a.side(`row${i}`, 'batch', `${i}u`)}`).join('\n')}
  ${b.side('own_column', 'batch', `min(column, ${n - 1}u)`)}
  if (column < ${n}u) {
    for (var k = part; k < ${k}u; k += ${share}u) {
      ${a.depth('ka', 'k')} ${b.depth('kb', 'k')}
      let factor = ${b.at('own_column', 'kb')};
${rows.map((i) => `      sum${i} = fma(${a.at(`row${i}`, 'ka')}, factor, sum${i});`).join('\n')}
    }
  }
${rows.map((i) => `  sums[${i * lanes}u + slot] = sum${i};`).join('\n')}
  workgroupBarrier();
  for (var half = ${share / 2}u; half > 0u; half >>= 1u) {
    if (part < half) {
${rows.map((i) => `      sums[${i * lanes}u + slot] += sums[${i * lanes}u + slot + half * ${columnsPerGroup}u];`).join('\n')}
    }
    workgroupBarrier();
  }
  if (part == 0u && column < ${n}u) {
${rows.map((i) => `    store(batch, ${i}u, column, sums[${i * lanes}u + slot]);`).join('\n')}
  }
}`;
  return [{ label: `${product.label} skinny`, code, bindings: bindings.bindings, workgroups: grid }];
}
