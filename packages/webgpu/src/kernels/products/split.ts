/** @file A k that is split between workgroups: into how many pieces, where partial products are stored, and their sum. */
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../../lowering.js';
import { type Product, storesQuadsOf, storeWgsl } from './product.js';

/** Workgroups that keep a GPU busy, and the shortest piece of k worth a workgroup. */
const BUSY_WORKGROUPS = 128;
const SHORTEST_K = 256;

/** Not at all; where the output has too few tiles to fill a GPU; or into two or four times as many pieces as that. */
export type SplitPolicy = 'unsplit' | 'split' | 'split twice' | 'split four times';

export interface Splits {
  splits: number;
  /** Steps of k in each, but for the last. A multiple of the tile's depth. */
  splitLength: number;
}

export function planSplits(product: Product, tile: TileSize, policy: SplitPolicy): Splits {
  const { batch, m, n, k } = product;
  const tiles = batch * Math.ceil(m / tile.tileRows) * Math.ceil(n / tile.tileColumns);
  const wanted = Math.min(Math.ceil(BUSY_WORKGROUPS / tiles), Math.floor(k / SHORTEST_K));
  const least = Math.max(1, wanted);
  const pieces = { unsplit: 1, split: wanted, 'split twice': 2 * least, 'split four times': 4 * least }[policy];
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
  /** `fn store(batch, row, column, value)`, or of four columns from a multiple of 4 on, `store_quad`. */
  store: string;
  storesQuads: boolean;
  /** The dispatches, given that of the tiles. */
  finish(tiles: Dispatch): Dispatch[];
}

export function splitTiles(options: {
  product: Product;
  context: LoweringContext;
  bindings: BindingSet;
  tile: TileSize;
  policy: SplitPolicy;
  /** Rows of tiles that are walked column by column. Default 1: tiles in the order of rows. */
  band?: number;
  /** Whether results are stored four at a time where the product allows it. Default: yes. */
  quads?: boolean;
}): SplitTiles {
  const { product, context, bindings, tile, policy, band = 1, quads = true } = options;
  const { batch, m, n, k } = product;
  const { splits, splitLength } = planSplits(product, tile, policy);
  const tilesM = Math.ceil(m / tile.tileRows);
  const tilesN = Math.ceil(n / tile.tileColumns);
  const tiles = batch * tilesM * tilesN * splits;
  const grid = splitGrid(tiles, context.device);
  const scratch = splits > 1 ? context.scratch(splits * batch * m * n * 4) : undefined;
  const locate = `let tile = ${linearWorkgroup(grid)};
  if (tile >= ${tiles}u) { return; }
  ${placeWgsl(tilesM, tilesN, band)}
  let first_column = tile_column * ${tile.tileColumns}u;
  let first_row = tile_row * ${tile.tileRows}u;
  let split = tile / ${tilesN * tilesM}u % ${splits}u;
  let batch = tile / ${tilesN * tilesM * splits}u;
  let k_begin = split * ${splitLength}u;
  let k_end = min(k_begin + ${splitLength}u, ${k}u);`;
  // Of scratch memory, whole vectors are the kernel's own.
  const storesQuads = quads && (scratch === undefined ? storesQuadsOf(product, context) : n % 4 === 0);
  const type = storesQuads ? 'vec4f' : 'f32';
  return {
    splits,
    splitLength,
    grid,
    locate,
    storesQuads,
    place: splits === 1 ? 'batch' : `split * ${batch}u + batch`,
    store:
      scratch === undefined
        ? storeWgsl(product, context, bindings, type)
        : storePartialWgsl(product, scratch, bindings, type),
    finish: (dispatch) =>
      scratch === undefined ? [dispatch] : [dispatch, addSplits({ product, context, scratch, splits })],
  };
}

/** WGSL of the row and column of `tile` among the tiles of an output: bands of rows, each column by column. */
function placeWgsl(tilesM: number, tilesN: number, band: number): string {
  if (band === 1) return `let tile_column = tile % ${tilesN}u; let tile_row = tile / ${tilesN}u % ${tilesM}u;`;
  return `let in_output = tile % ${tilesM * tilesN}u;
  let band = in_output / ${band * tilesN}u * ${band}u;
  let height = min(${band}u, ${tilesM}u - band);
  let in_band = in_output % ${band * tilesN}u;
  let tile_column = in_band / height; let tile_row = band + in_band % height;`;
}

/** `fn store(batch, row, column, value)`, or `store_quad`, into scratch memory [splits * batch, m, n]. */
function storePartialWgsl(product: Product, scratch: number, bindings: BindingSet, type: 'f32' | 'vec4f'): string {
  const partial = bindings.scratch(scratch, 'partial', type);
  if (type === 'vec4f') {
    return `fn store_quad(batch: u32, row: u32, column: u32, value: vec4f) {
  ${partial.set(`((batch * ${product.m}u + row) * ${product.n}u + column) / 4u`, 'value')}
}`;
  }
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
