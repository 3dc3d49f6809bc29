/** @file The variants that a product may be computed by on a device: the default by adapter and shape, and the others. */
import type { LoweringContext, LoweringDevice } from '../../lowering.js';
import type { Product } from './product.js';
import { lowerQuad, quadFits } from './quad.js';
import { lowerRegister } from './register.js';
import { lowerSkinny, SKINNY_ROWS, skinnyFits } from './skinny.js';
import { planSplits, type SplitPolicy, type TileSize } from './split.js';
import {
  componentOf,
  type MatrixBlocks,
  readsInPlace,
  subgroupMatrixFits,
  subgroupMatrixVariant,
  tileSize,
} from './subgroup-matrix.js';
import { subgroupMatrixWgsl } from './subgroup-matrix-wgsl.js';
import { DEFAULT_TILE, type TiledOptions, type TileShape, tiledFits, tiledVariant } from './tiled.js';
import type { Variant } from './variant.js';

const QUAD: Variant = { name: 'quad', lower: lowerQuad };
const REGISTER: Variant = { name: 'register', lower: lowerRegister };
const SKINNY: Variant = { name: 'skinny', lower: lowerSkinny };

const tile = (
  tileRows: number,
  tileColumns: number,
  tileDepth: number,
  rowsPerLane: number,
  columnsPerLane: number,
) => ({
  ...{ tileRows, tileColumns, tileDepth, rowsPerLane, columnsPerLane },
});

/** Small tiles for small outputs, large ones to read operands less often. */
export const TILE_SHAPES: readonly TileShape[] = [
  DEFAULT_TILE,
  tile(32, 32, 16, 4, 2),
  tile(64, 32, 16, 4, 4),
  tile(128, 64, 16, 8, 4),
  tile(128, 128, 8, 8, 8),
  tile(128, 128, 16, 8, 8),
  tile(256, 128, 8, 16, 8),
];
/** Rows of tiles in a band: four times as many outputs as columns of tiles that are read for them. */
const BAND = 8;

/** All ways to compute a product on a device, the default first. Different ones round differently. */
export function productCandidates(product: Product, context: LoweringContext): [Variant, ...Variant[]] {
  const { device } = context;
  const first = defaultVariant(product, device);
  const others = device.software
    ? [REGISTER, ...(quadFits(product, device) ? [QUAD] : []), ...tiledCandidates(product, device)]
    : [
        ...(skinnyFits(product, device) ? [SKINNY] : []),
        ...tiledCandidates(product, device),
        ...subgroupMatrixCandidates(product, context),
      ];
  const byName = new Map(others.map((variant) => [variant.name, variant]));
  byName.delete(first.name);
  return [first, ...byName.values()];
}

/** What is taken where nothing was measured. */
function defaultVariant(product: Product, device: LoweringDevice): Variant {
  if (device.software) return quadFits(product, device) ? QUAD : REGISTER;
  if (product.m <= SKINNY_ROWS) return SKINNY;
  return tiledFits(DEFAULT_TILE, device) ? tiledVariant({ shape: DEFAULT_TILE }) : REGISTER;
}

function tiledCandidates(product: Product, device: LoweringDevice): Variant[] {
  return TILE_SHAPES.filter((shape) => tiledFits(shape, device) && isWorthwhile(shape, product)).flatMap((shape) => {
    const options: TiledOptions[] = [{ shape }, ...aheadOptions(product, shape, device)];
    if (shape.tileRows >= 64 && readsBlocks(product)) options.push({ shape, depthReads: 'blocks' });
    for (const policy of otherPolicies(product, shape)) options.push({ shape, policy });
    return options.map(tiledVariant);
  });
}

/** Operands that come while the tile before is multiplied: what that wins, a tile with many sums for each lane shows. */
function aheadOptions({ m, n }: Product, shape: TileShape, device: LoweringDevice): TiledOptions[] {
  if (shape.rowsPerLane * shape.columnsPerLane < 16) return [];
  const options: TiledOptions[] = [];
  if (tiledFits(shape, device, 'ahead')) options.push({ shape, staging: 'ahead' });
  if (tiledFits(shape, device, 'ahead, two buffers')) options.push({ shape, staging: 'ahead, two buffers' });
  const last = options.at(-1);
  const isLarge = m >= 2 * BAND * shape.tileRows && n >= 2 * BAND * shape.tileColumns;
  return last && isLarge ? [...options, { ...last, band: BAND }] : options;
}

/** Subgroups below and beside each other, and the side of what each computes. The first that fit are candidates. */
const SUBGROUP_BLOCKS = [
  [2, 2, 32],
  [2, 2, 16],
  [4, 2, 32],
  [2, 1, 32],
  [1, 1, 32],
] as const;
const MOST_SUBGROUP_BLOCKS = 3;

/** Those of the largest matrices that the adapter multiplies in the operands' own type. */
function subgroupMatrixCandidates(product: Product, context: LoweringContext): Variant[] {
  const { subgroupMatrices, subgroupMaxSize } = context.device;
  const component = componentOf(product, context);
  const configs = subgroupMatrices?.configs.filter((each) => each.component === component) ?? [];
  if (!subgroupMatrices || configs.length === 0) return [];
  const config = configs.reduce((a, b) => (b.M * b.N * b.K > a.M * a.N * a.K ? b : a));
  const wgsl = subgroupMatrixWgsl(config, subgroupMatrices.orderForm);
  return SUBGROUP_BLOCKS.map(([subgroupsDown, subgroupsAcross, side]) => {
    const blocks: MatrixBlocks = {
      subgroupsDown,
      subgroupsAcross,
      matricesDown: Math.max(1, side / config.M),
      matricesAcross: Math.max(1, side / config.N),
      matricesDeep: Math.max(1, (component === 'f16' ? 32 : 16) / config.K),
    };
    return { config, blocks, subgroupLanes: subgroupMaxSize, wgsl };
  })
    .filter((options) => subgroupMatrixFits(options, context.device) && isWorthwhile(tileSize(options), product))
    .slice(0, MOST_SUBGROUP_BLOCKS)
    .flatMap((options, position) => {
      const policies = position === 0 ? otherPolicies(product, tileSize(options)) : [];
      const inPlace = readsInPlace(product, options) ? [{ ...options, from: 'storage' as const }] : [];
      return [options, ...inPlace, ...policies.map((policy) => ({ ...options, policy }))].map(subgroupMatrixVariant);
    });
}

/** Not with half of a large tile outside. */
function isWorthwhile({ tileRows, tileColumns }: TileSize, { m, n }: Product): boolean {
  return (tileRows <= 64 || m > tileRows / 2) && (tileColumns <= 64 || n > tileColumns / 2);
}

function readsBlocks({ a, b }: Product): boolean {
  return [a, b].some(({ contiguous, quads }) => contiguous === 'depth' && quads);
}

/** The policies that split k into another number of pieces, none of them too short to be worth a workgroup. */
function otherPolicies(product: Product, shape: TileSize): SplitPolicy[] {
  const usual = planSplits(product, shape, 'split');
  const policies: SplitPolicy[] = [];
  if (usual.splits > 1) policies.push('unsplit');
  // As many processors as a large GPU has want more.
  const isSmall = product.batch * product.m * product.n <= 2 ** 20;
  for (const policy of isSmall ? (['split twice', 'split four times'] as const) : []) {
    const { splits, splitLength } = planSplits(product, shape, policy);
    if (splits > usual.splits && splitLength >= 128) policies.push(policy);
  }
  return policies;
}
