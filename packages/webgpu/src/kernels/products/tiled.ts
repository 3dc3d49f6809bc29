/**
 * @file Matrix product for GPUs: a workgroup of 256 computes a 64x64 tile of the output, 4x4 numbers per invocation, from
 * 64x16 tiles of both operands in workgroup memory. Where the output has too few tiles to fill a GPU, k is split between
 * workgroups, whose partial tiles a second dispatch adds.
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
import { type Access, type OperandReader, type Product, storeWgsl, widestAccess } from './product.js';
import { addSplits, storePartialWgsl } from './split.js';

const TILE = 64;
const TILE_K = 16;
const LANES = 256;
/** Quads of a tile's row in workgroup memory; one to spare keeps transposing writes off one memory bank. */
const PITCH = TILE / 4 + 1;

/** Workgroups that keep a GPU busy, and the shortest piece of k worth a workgroup. */
const BUSY_WORKGROUPS = 128;
const SHORTEST_K = 256;

export function tiledFits(device: LoweringDevice): boolean {
  return device.maxInvocationsPerWorkgroup >= LANES && device.maxWorkgroupStorageBytes >= 2 * TILE_K * PITCH * 16;
}

export function lowerTiled(product: Product, context: LoweringContext): Dispatch[] {
  const { batch, m, n, k } = product;
  const tilesM = Math.ceil(m / TILE);
  const tilesN = Math.ceil(n / TILE);
  const tiles = batch * tilesM * tilesN;
  const wanted = Math.min(Math.ceil(BUSY_WORKGROUPS / tiles), Math.floor(k / SHORTEST_K));
  const splitLength = Math.ceil(k / Math.max(1, wanted) / TILE_K) * TILE_K;
  const splits = Math.ceil(k / splitLength);
  const scratch = splits > 1 ? context.scratch(splits * batch * m * n * 4) : undefined;

  const bindings = new BindingSet(context);
  const a = product.a.bind(bindings, tileAccess(product, 'a'));
  const b = product.b.bind(bindings, tileAccess(product, 'b'));
  const store =
    scratch === undefined ? storeWgsl(product, context, bindings) : storePartialWgsl(product, scratch, bindings);
  const grid = splitGrid(tiles * splits, context.device);
  const outer = [0, 1, 2, 3];
  // Partial products are laid out as [splits, batch, m, n].
  const place = splits === 1 ? 'batch' : `split * ${batch}u + batch`;
  const code = `${bindings.declarations()}
${a.functions}
${b.functions}
${store}
${loadQuad('a', a, product)}
${loadQuad('b', b, product)}
var<workgroup> tile_a: array<vec4f, ${TILE_K * PITCH}>;
var<workgroup> tile_b: array<vec4f, ${TILE_K * PITCH}>;
${mainHeader(LANES)} {
  let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles * splits}u) { return; }
  let first_column = tile % ${tilesN}u * ${TILE}u;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${TILE}u;
  let split = tile / ${tilesN * tilesM}u % ${splits}u;
  let batch = tile / ${tilesN * tilesM * splits}u;
  let x = lane % 16u;
  let y = lane / 16u;
  ${lanePosition(product, 'a')}
  ${lanePosition(product, 'b')}
  ${outer.map((i) => `var sum${i} = vec4f();`).join(' ')}
  let k_end = min((split + 1u) * ${splitLength}u, ${k}u);
  for (var k = split * ${splitLength}u; k < k_end; k += ${TILE_K}u) {
    tile_a[a_k * ${PITCH}u + a_quad] = load_a(batch, first_row + a_quad * 4u, k + a_k);
    tile_b[b_k * ${PITCH}u + b_quad] = load_b(batch, first_column + b_quad * 4u, k + b_k);
    workgroupBarrier();
    for (var i = 0u; i < ${TILE_K}u; i++) {
      let quad_a = tile_a[i * ${PITCH}u + y];
      let quad_b = tile_b[i * ${PITCH}u + x];
${outer.map((i) => `      sum${i} = fma(vec4f(quad_a[${i}]), quad_b, sum${i});`).join('\n')}
    }
    workgroupBarrier();
  }
  let row = first_row + y * 4u;
  let column = first_column + x * 4u;
${outer.map((i) => storeQuad(i, product, place)).join('\n')}
}`;
  const dispatch: Dispatch = { label: `${product.label} tiled`, code, bindings: bindings.bindings, workgroups: grid };
  if (scratch === undefined) return [dispatch];
  return [dispatch, addSplits({ product, context, scratch, splits })];
}

/** A quad is along the tile's side, so vec4 access needs that axis to be the contiguous one. */
function tileAccess(product: Product, side: 'a' | 'b'): Access {
  return product[side].contiguous === 'depth' ? 'scalar' : widestAccess(product, side);
}

/** Which quad of the operand's tile a lane loads: neighbouring lanes load neighbouring memory. */
function lanePosition(product: Product, side: 'a' | 'b'): string {
  const [alongK, alongSide] = product[side].contiguous === 'depth' ? ['x', 'y'] : ['y', 'x'];
  return `let ${side}_k = ${alongK}; let ${side}_quad = ${alongSide};`;
}

/** `fn load_a(batch, position, k) -> vec4f`: rows position .. position + 3 of op(a) (columns of op(b)) at k, zeros outside. */
function loadQuad(side: 'a' | 'b', operand: OperandReader, product: Product): string {
  const length = side === 'a' ? product.m : product.n;
  const guardK = product.k % TILE_K === 0 ? '' : `  if (k >= ${product.k}u) { return vec4f(); }\n`;
  const exact = length % TILE === 0;
  const header = `fn load_${side}(batch: u32, position: u32, k: u32) -> vec4f {\n${guardK}`;
  if (tileAccess(product, side) === 'vec4') {
    const guard = exact ? '' : `  if (position >= ${length}u) { return vec4f(); }\n`;
    return `${header}${guard}  ${operand.side('at', 'batch', 'position')} ${operand.depth('depth', 'k')}
  return ${operand.at('at', 'depth')};\n}`;
  }
  const lines = [0, 1, 2, 3].map((i) => {
    const load = `${operand.side('at', 'batch', `position + ${i}u`)} quad[${i}] = ${operand.at('at', 'depth')};`;
    return exact ? `  { ${load} }` : `  if (position + ${i}u < ${length}u) { ${load} }`;
  });
  return `${header}  ${operand.depth('depth', 'k')}\n  var quad = vec4f();\n${lines.join('\n')}\n  return quad;\n}`;
}

function storeQuad(i: number, product: Product, place: string): string {
  const exact = product.n % TILE === 0;
  const stores = [0, 1, 2, 3].map((j) => {
    const store = `store(${place}, row + ${i}u, column + ${j}u, sum${i}[${j}]);`;
    return exact ? `    ${store}` : `    if (column + ${j}u < ${product.n}u) { ${store} }`;
  });
  const open = product.m % TILE === 0 ? '  {' : `  if (row + ${i}u < ${product.m}u) {`;
  return `${open}\n${stores.join('\n')}\n  }`;
}
