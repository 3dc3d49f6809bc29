/**
 * @file Matrix product for GPUs with subgroup matrices (tensor cores and their like): each subgroup multiplies a block of small
 * matrices, from tiles of both operands that its workgroup stages in workgroup memory, or from the operands where they lie.
 * Sums are f32.
 */
import { BindingSet, type Dispatch, type LoweringContext, type LoweringDevice, mainHeader } from '../../lowering.js';
import type { Product } from './product.js';
import { type SplitPolicy, type SplitTiles, splitTiles, type TileSize } from './split.js';
import { dealUnits, quadAccess, quadLoaderWgsl } from './staging.js';
import type { MatrixPlace, SubgroupMatrixConfig, SubgroupMatrixWgsl } from './subgroup-matrix-wgsl.js';
import type { Variant } from './variant.js';

/** How the tile of a workgroup is divided between its subgroups. */
export interface MatrixBlocks {
  /** Subgroups below and beside each other. */
  subgroupsDown: number;
  subgroupsAcross: number;
  /** Result matrices of each. */
  matricesDown: number;
  matricesAcross: number;
  /** Matrices along k that are staged at a time. */
  matricesDeep: number;
}

export interface SubgroupMatrixOptions {
  config: SubgroupMatrixConfig;
  blocks: MatrixBlocks;
  /** Lanes of the largest subgroup there is: a workgroup has a multiple of them. */
  subgroupLanes: number;
  wgsl: SubgroupMatrixWgsl;
  /** Where small matrices are loaded from. Default 'tiles', of workgroup memory; see `readsInPlace` for 'storage'. */
  from?: 'tiles' | 'storage';
  /** Default 'split'. */
  policy?: SplitPolicy;
}

/** What operands are staged as, for the configuration: as they are stored. */
export function componentOf(
  { a, b }: Product,
  context: LoweringContext,
): SubgroupMatrixConfig['component'] | undefined {
  const [isHalfA, isHalfB] = [context.isHalf(a.buffer), context.isHalf(b.buffer)];
  if (isHalfA !== isHalfB) return undefined;
  return isHalfA ? 'f16' : 'f32';
}

export function subgroupMatrixVariant(options: SubgroupMatrixOptions): Variant {
  const { config, blocks, from = 'tiles', policy = 'split' } = options;
  const tile = tileSize(options);
  const size = `${tile.tileRows}x${tile.tileColumns}x${tile.tileDepth}`;
  const subgroups = `${blocks.subgroupsDown}x${blocks.subgroupsAcross}`;
  const matrices = `${config.component} ${config.M}x${config.N}x${config.K}`;
  const parts = [
    `subgroup matrices ${size} by ${subgroups} of ${matrices}`,
    ...(from === 'tiles' ? [] : ['in place']),
    ...(policy === 'split' ? [] : [policy]),
  ];
  const name = parts.join(', ');
  return { name, lower: (product, context) => lowerSubgroupMatrix(product, context, options, name) };
}

/** Whether every small matrix lies whole in its operand, in lines that begin at multiples of 16 bytes. */
export function readsInPlace(product: Product, options: Pick<SubgroupMatrixOptions, 'config' | 'blocks'>): boolean {
  const { tileRows, tileColumns, tileDepth } = tileSize(options);
  const { m, n, k, a, b } = product;
  const aligned = 16 / (options.config.component === 'f16' ? 2 : 4);
  const isAligned = ({ strides }: Product['a']) =>
    strides !== undefined && Math.max(strides.side, strides.depth) % aligned === 0 && strides.batch % aligned === 0;
  return m % tileRows === 0 && n % tileColumns === 0 && k % tileDepth === 0 && isAligned(a) && isAligned(b);
}

/** Whether a workgroup of the device has the invocations and the memory. */
export function subgroupMatrixFits(
  options: Pick<SubgroupMatrixOptions, 'config' | 'blocks' | 'subgroupLanes'>,
  device: LoweringDevice,
): boolean {
  const { config, blocks, subgroupLanes } = options;
  const tile = tileSize(options);
  const bytes = config.component === 'f16' ? 2 : 4;
  // An operand's longest rows are those with the most padding.
  const staged = (side: number) => Math.max((side + 16 / bytes) * tile.tileDepth, side * (tile.tileDepth + 16 / bytes));
  const subgroups = blocks.subgroupsDown * blocks.subgroupsAcross;
  return (
    subgroups * subgroupLanes <= device.maxInvocationsPerWorkgroup &&
    (staged(tile.tileRows) + staged(tile.tileColumns)) * bytes + subgroups * config.M * config.N * 4 <=
      device.maxWorkgroupStorageBytes
  );
}

export function tileSize({ config, blocks }: Pick<SubgroupMatrixOptions, 'config' | 'blocks'>): TileSize {
  return {
    tileRows: blocks.subgroupsDown * blocks.matricesDown * config.M,
    tileColumns: blocks.subgroupsAcross * blocks.matricesAcross * config.N,
    tileDepth: blocks.matricesDeep * config.K,
  };
}

function lowerSubgroupMatrix(
  product: Product,
  context: LoweringContext,
  options: SubgroupMatrixOptions,
  name: string,
): Dispatch[] {
  const { config, blocks, subgroupLanes, wgsl, from = 'tiles', policy = 'split' } = options;
  const tile = tileSize(options);
  const subgroups = blocks.subgroupsDown * blocks.subgroupsAcross;
  const lanes = subgroups * subgroupLanes;
  const bindings = new BindingSet(context);
  const operand = (side: 'a' | 'b') =>
    from === 'storage'
      ? operandInPlace(product, bindings, side)
      : stagedOperand(product, bindings, side, { tile, lanes, component: config.component });
  const [a, b] = [operand('a'), operand('b')];
  const tiles = splitTiles({ product, context, bindings, tile, policy });
  const body = `  ${wgsl.prologue}
  ${tiles.locate}
  // There are more where subgroups are smaller than the largest: they only stage and store.
  let computes = subgroup < ${subgroups}u;
  let block_row = subgroup / ${blocks.subgroupsAcross}u * ${blocks.matricesDown * config.M}u;
  let block_column = subgroup % ${blocks.subgroupsAcross}u * ${blocks.matricesAcross * config.N}u;
  ${a.prepare}
  ${b.prepare}
  ${sums(blocks, wgsl.declareSum).join(' ')}
  for (var k = k_begin; k < k_end; k += ${tile.tileDepth}u) {
    ${a.stage}
    ${b.stage}
    ${from === 'tiles' ? 'workgroupBarrier();' : ''}
    if (computes) {
${multiply(options, a, b)}
    }
    ${from === 'tiles' ? 'workgroupBarrier();' : ''}
  }
${storeResults(product, options, tiles, lanes)}`;
  const argument = wgsl.argument ? `lane: u32, ${wgsl.argument})` : 'lane: u32)';
  const code = `${wgsl.directives}
${bindings.declarations()}
${a.functions}
${b.functions}
${tiles.store}
${a.memory}
${b.memory}
var<workgroup> results: array<f32, ${subgroups * config.M * config.N}>;
${wgsl.declarations()}
${mainHeader(lanes).replace('lane: u32)', argument)} {
${body}
}`;
  return tiles.finish({
    label: `${product.label} ${name}`,
    code,
    bindings: bindings.bindings,
    workgroups: tiles.grid,
  });
}

/** Where the small matrices of an operand come from. */
interface MatrixSource {
  functions: string;
  memory: string;
  prepare: string;
  stage: string;
  /** The place of that which begins at `side` of the tile (WGSL) and at `depth` of it. */
  place(side: string, depth: number): MatrixPlace;
}

/** A left operand along the depth is in rows, a right one in columns. */
const orderOf = (name: 'a' | 'b', contiguous: 'side' | 'depth') =>
  (name === 'a') === (contiguous === 'depth') ? 'row' : 'column';

/** The operand's own memory. */
function operandInPlace(product: Product, bindings: BindingSet, name: 'a' | 'b'): MatrixSource {
  const { contiguous, buffer } = product[name];
  const strides = product[name].strides!;
  const array = bindings.buffer(buffer, name).name;
  const first = name === 'a' ? 'first_row' : 'first_column';
  const order = orderOf(name, contiguous);
  const stride = Math.max(strides.side, strides.depth);
  return {
    functions: '',
    memory: '',
    prepare: `let base_${name} = batch * ${strides.batch}u + ${first} * ${strides.side}u;`,
    stage: `let at_${name} = base_${name} + k * ${strides.depth}u;`,
    place: (side, depth) => {
      const offset = `at_${name} + (${side}) * ${strides.side}u + ${depth * strides.depth}u`;
      return { array, offset, order, stride };
    },
  };
}

/** Its tile in workgroup memory: quads stay along the axis that is contiguous in its buffer. */
function stagedOperand(
  product: Product,
  bindings: BindingSet,
  name: 'a' | 'b',
  options: { tile: TileSize; lanes: number; component: SubgroupMatrixConfig['component'] },
): MatrixSource {
  const { tile, lanes, component } = options;
  const tileSide = name === 'a' ? tile.tileRows : tile.tileColumns;
  const { tileDepth } = tile;
  const { contiguous } = product[name];
  const reader = product[name].bind(bindings, quadAccess(product, name, contiguous));
  const [length, lines] = contiguous === 'depth' ? [tileDepth, tileSide] : [tileSide, tileDepth];
  // 16 bytes to spare keep lines aligned, and off one memory bank.
  const pitch = length + (component === 'f16' ? 8 : 4);
  const first = name === 'a' ? 'first_row' : 'first_column';
  const { prepare, rounds } = dealUnits({ name, lanes, fast: length / 4, slow: lines });
  const stage = rounds.map((unit, round) => {
    const [position, k] = contiguous === 'depth' ? [unit.slow, `${unit.fast} * 4u`] : [`${unit.fast} * 4u`, unit.slow];
    const [value, at] = [`${name}_value${round}`, `${name}_at${round}`];
    return unit.guarded(
      `let ${value} = load_${name}(batch, ${first} + ${position}, k + ${k});
    let ${at} = ${unit.slow} * ${pitch}u + ${unit.fast} * 4u;
    ${[0, 1, 2, 3].map((i) => `tile_${name}[${at} + ${i}u] = ${component}(${value}[${i}]);`).join(' ')}`,
    );
  });
  return {
    functions: `${reader.functions}\n${quadLoaderWgsl({ side: name, reader, product, along: contiguous, tileSide, tileDepth })}`,
    memory: `var<workgroup> tile_${name}: array<${component}, ${pitch * lines}>;`,
    prepare,
    stage: stage.join('\n    '),
    place: (side, depth) => ({
      array: `tile_${name}`,
      offset: contiguous === 'depth' ? `(${side}) * ${pitch}u + ${depth}u` : `${depth * pitch}u + ${side}`,
      order: orderOf(name, contiguous),
      stride: pitch,
    }),
  };
}

function sums<T>({ matricesDown, matricesAcross }: MatrixBlocks, each: (name: string, i: number, j: number) => T): T[] {
  return Array.from({ length: matricesDown * matricesAcross }, (_, index) => {
    const [i, j] = [Math.floor(index / matricesAcross), index % matricesAcross];
    return each(`sum${i}_${j}`, i, j);
  });
}

/** The subgroup's matrices at the depth `k`, multiplied and added to its sums. */
function multiply({ config, blocks, wgsl }: SubgroupMatrixOptions, a: MatrixSource, b: MatrixSource): string {
  const { M, N, K } = config;
  const lines: string[] = [];
  for (let step = 0; step < blocks.matricesDeep; step++) {
    const left = (i: number) => `left${step}_${i}`;
    const right = (j: number) => `right${step}_${j}`;
    for (let i = 0; i < blocks.matricesDown; i++) {
      lines.push(wgsl.load(left(i), 'left', a.place(`block_row + ${i * M}u`, step * K)));
    }
    for (let j = 0; j < blocks.matricesAcross; j++) {
      lines.push(wgsl.load(right(j), 'right', b.place(`block_column + ${j * N}u`, step * K)));
    }
    lines.push(...sums(blocks, (sum, i, j) => wgsl.multiplyAccumulate(sum, left(i), right(j))));
  }
  return lines.map((line) => `      ${line}`).join('\n');
}

/** One result matrix of every subgroup at a time, by way of workgroup memory. */
function storeResults(product: Product, options: SubgroupMatrixOptions, tiles: SplitTiles, lanes: number): string {
  const { config, blocks, wgsl } = options;
  const { M, N } = config;
  const { m, n } = product;
  const place = { array: 'results', offset: `subgroup * ${M * N}u`, order: 'row', stride: N } as const;
  const elements = blocks.subgroupsDown * blocks.subgroupsAcross * M * N;
  const blockRows = blocks.matricesDown * M;
  const blockColumns = blocks.matricesAcross * N;
  const width = tiles.storesQuads ? 4 : 1;
  const store = tiles.storesQuads
    ? `store_quad(${tiles.place}, row, column, vec4f(${[0, 1, 2, 3].map((i) => `results[e + ${i}u]`)}));`
    : `store(${tiles.place}, row, column, results[e]);`;
  return sums(
    blocks,
    (sum, i, j) => `  if (computes) { ${wgsl.store(sum, place)} }
  workgroupBarrier();
  for (var e = lane * ${width}u; e < ${elements}u; e += ${lanes * width}u) {
    let owner = e / ${M * N}u;
    let row = first_row + owner / ${blocks.subgroupsAcross}u * ${blockRows}u + ${i * M}u + e % ${M * N}u / ${N}u;
    let column = first_column + owner % ${blocks.subgroupsAcross}u * ${blockColumns}u + ${j * N}u + e % ${N}u;
    if ((row < ${m}u) & (column < ${n}u)) { ${store} }
  }
  workgroupBarrier();`,
  ).join('\n');
}
