/** @file A k that is split between workgroups: into how many pieces, where partial products are stored, and their sum. */
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { type Product, storeWgsl } from './product.js';

/** Workgroups that keep a GPU busy, and the shortest piece of k worth a workgroup. */
const BUSY_WORKGROUPS = 128;
const SHORTEST_K = 256;

/** Not at all; where the output has too few tiles to fill a GPU; or into twice as many pieces as that. */
export type SplitPolicy = 'unsplit' | 'split' | 'split twice';

export interface Splits {
  splits: number;
  /** Steps of k in each, but for the last. A multiple of the tile's depth. */
  splitLength: number;
}

export function planSplits(product: Product, tile: TileSize, policy: SplitPolicy): Splits {
  const { batch, m, n, k } = product;
  const tiles = batch * Math.ceil(m / tile.tileRows) * Math.ceil(n / tile.tileColumns);
  const wanted = Math.min(Math.ceil(BUSY_WORKGROUPS / tiles), Math.floor(k / SHORTEST_K));
  const pieces = { unsplit: 1, split: wanted, 'split twice': 2 * Math.max(1, wanted) }[policy];
  const splitLength = Math.ceil(k / Math.max(1, pieces) / tile.tileDepth) * tile.tileDepth;
  return { splits: Math.ceil(k / splitLength), splitLength };
}

/** What a workgroup computes, and how many steps of k it stages at a time. */
export interface TileSize {
  tileRows: number;
  tileColumns: number;
  tileDepth: number;
}

/** Where a workgroup's tile lies, in WGSL, and the grid of all of them. */
export interface SplitTiles extends Splits {
  grid: [number, number, number];
  /** Statements: returns where there is no tile; first_row, first_column, batch, k_begin, k_end. */
  locate: string;
  /** What `store` takes for a batch: partial products are laid out as [splits, batch, m, n]. */
  place: string;
  /** `fn store(batch, row, column, value)`. */
  store: string;
  /** The dispatches, given that of the tiles. */
  finish(tiles: Dispatch): Dispatch[];
}

export function splitTiles(options: {
  product: Product;
  context: LoweringContext;
  bindings: BindingSet;
  tile: TileSize;
  policy: SplitPolicy;
}): SplitTiles {
  const { product, context, bindings, tile, policy } = options;
  const { batch, m, n, k } = product;
  const { splits, splitLength } = planSplits(product, tile, policy);
  const tilesM = Math.ceil(m / tile.tileRows);
  const tilesN = Math.ceil(n / tile.tileColumns);
  const tiles = batch * tilesM * tilesN * splits;
  const grid = splitGrid(tiles, context.device);
  const scratch = splits > 1 ? context.scratch(splits * batch * m * n * 4) : undefined;
  const locate = `let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  let first_column = tile % ${tilesN}u * ${tile.tileColumns}u;
  let first_row = tile / ${tilesN}u % ${tilesM}u * ${tile.tileRows}u;
  let split = tile / ${tilesN * tilesM}u % ${splits}u;
  let batch = tile / ${tilesN * tilesM * splits}u;
  let k_begin = split * ${splitLength}u;
  let k_end = min(k_begin + ${splitLength}u, ${k}u);`;
  return {
    splits,
    splitLength,
    grid,
    locate,
    place: splits === 1 ? 'batch' : `split * ${batch}u + batch`,
    store: scratch === undefined ? storeWgsl(product, context, bindings) : storePartialWgsl(product, scratch, bindings),
    finish: (dispatch) =>
      scratch === undefined ? [dispatch] : [dispatch, addSplits({ product, context, scratch, splits })],
  };
}

/** `fn store(batch, row, column, value)` into scratch memory [splits * batch, m, n]. */
function storePartialWgsl(product: Product, scratch: number, bindings: BindingSet): string {
  const partial = bindings.scratch(scratch, 'partial');
  return `fn store(batch: u32, row: u32, column: u32, value: f32) {
  ${partial.set(`(batch * ${product.m}u + row) * ${product.n}u + column`, 'value')}
}`;
}

/** output = epilogue(sum over splits of partial [splits, batch, m, n]), one invocation per element. */
function addSplits(options: { product: Product; context: LoweringContext; scratch: number; splits: number }): Dispatch {
  const { product, context, scratch, splits } = options;
  const { batch, m, n } = product;
  const elements = batch * m * n;
  const lanes = Math.min(256, context.device.maxInvocationsPerWorkgroup);
  const grid = splitGrid(Math.ceil(elements / lanes), context.device);
  const bindings = new BindingSet(context);
  const partial = bindings.scratch(scratch, 'partial');
  const store = storeWgsl(product, context, bindings);
  const code = `${bindings.declarations()}
${store}
${mainHeader(lanes)} {
  let i = ${linearWorkgroup(grid)} * ${lanes}u + lane;
  if (i >= ${elements}u) { return; }
  var sum = 0.0f;
  for (var split = 0u; split < ${splits}u; split++) { sum += ${partial.at(`split * ${elements}u + i`)}; }
  store(i / ${m * n}u, i / ${n}u % ${m}u, i % ${n}u, sum);
}`;
  return { label: `${product.label} splits`, code, bindings: bindings.bindings, workgroups: grid };
}
