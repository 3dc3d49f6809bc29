/**
 * @file Matrix product for GPUs: a workgroup computes a tile of the output, each invocation some rows and columns of it in
 * registers, from tiles of both operands in workgroup memory. A template: which shape is fastest depends on the adapter
 * and the product (`candidates.ts`).
 */
import { BindingSet, type Dispatch, type LoweringContext, type LoweringDevice, mainHeader } from '../../lowering.js';
import type { Product } from './product.js';
import { type SplitPolicy, type SplitTiles, splitTiles, type TileSize } from './split.js';
import { dealUnits, quadAccess, quadLoaderWgsl, type StagedUnit } from './staging.js';
import type { Variant } from './variant.js';

/** Sides of a tile are multiples of 4 and of what an invocation computes of them, the depth too is a multiple of 4. */
export interface TileShape extends TileSize {
  /** Even. */
  rowsPerLane: number;
  columnsPerLane: number;
}

/** 64 x 64 by 256 invocations of 4 x 4 each: what is taken where nothing was measured. */
export const DEFAULT_TILE: TileShape = {
  tileRows: 64,
  tileColumns: 64,
  tileDepth: 16,
  rowsPerLane: 4,
  columnsPerLane: 4,
};

/**
 * How an operand whose quads are along k gets into workgroup memory, where quads are along the side: number by number, or
 * by blocks of 4 x 4 that an invocation reads as four quads and turns in registers.
 */
export type DepthReads = 'scalars' | 'blocks';

/**
 * When a tile of the operands comes from memory: just before it is multiplied; or into registers while the tile before is
 * multiplied ('ahead'), to one place in workgroup memory or to two in turn, which needs one barrier a tile instead of two.
 */
export type Staging = 'just in time' | 'ahead' | 'ahead, two buffers';

export interface TiledOptions {
  shape: TileShape;
  /** Default 'just in time'. */
  staging?: Staging;
  /** Rows of tiles that are walked column by column, so that both operands' tiles stay in the cache. Default 1. */
  band?: number;
  /** Default 'split'. */
  policy?: SplitPolicy;
  /** Default 'scalars'. */
  depthReads?: DepthReads;
}

export function tiledVariant(options: TiledOptions): Variant {
  const { shape, policy = 'split', depthReads = 'scalars', staging = 'just in time', band = 1 } = options;
  const { tileRows, tileColumns, tileDepth, rowsPerLane, columnsPerLane } = shape;
  const size = `tiled ${tileRows}x${tileColumns}x${tileDepth} by ${rowsPerLane}x${columnsPerLane}`;
  const parts = [
    `${size}${depthReads === 'blocks' ? ' in blocks' : ''}`,
    ...(staging === 'just in time' ? [] : [staging]),
    ...(band === 1 ? [] : [`bands of ${band}`]),
    ...(policy === 'split' ? [] : [policy]),
  ];
  return {
    name: parts.join(', '),
    lower: (product, context) => lowerTiled(product, context, { shape, policy, depthReads, staging, band }),
  };
}

/** Whether a workgroup of the device has the invocations and the memory for the shape. */
export function tiledFits(shape: TileShape, device: LoweringDevice, staging: Staging = 'just in time'): boolean {
  const [rows, columns] = [tileSide(shape, 'a'), tileSide(shape, 'b')];
  const bytes = (side: TileSide) => shape.tileDepth * side.pitch * side.width * 4;
  return (
    lanesOf(shape) <= device.maxInvocationsPerWorkgroup &&
    buffersOf(staging) * (bytes(rows) + bytes(columns)) <= device.maxWorkgroupStorageBytes
  );
}

const buffersOf = (staging: Staging) => (staging === 'ahead, two buffers' ? 2 : 1);

function lanesOf({ tileRows, tileColumns, rowsPerLane, columnsPerLane }: TileShape): number {
  return (tileRows / rowsPerLane) * (tileColumns / columnsPerLane);
}

/** The rows of a tile, or its columns. */
interface TileSide {
  length: number;
  /** Lanes along it. Their vectors are side by side, then come the lanes' next vectors. */
  lanes: number;
  /** Numbers in a vector of workgroup memory, and vectors of a lane. */
  width: 2 | 4;
  vectors: number;
  /** Vectors from one step of k to the next; one to spare keeps transposing writes off one memory bank. */
  pitch: number;
}

function tileSide(shape: TileShape, side: 'a' | 'b'): TileSide {
  const [length, perLane] =
    side === 'a' ? [shape.tileRows, shape.rowsPerLane] : [shape.tileColumns, shape.columnsPerLane];
  const width = perLane % 4 === 0 ? 4 : 2;
  return { length, lanes: length / perLane, width, vectors: perLane / width, pitch: length / width + 1 };
}

function lowerTiled(product: Product, context: LoweringContext, options: Required<TiledOptions>): Dispatch[] {
  const { shape, policy, staging, band } = options;
  const bindings = new BindingSet(context);
  const a = stagedOperand(product, bindings, 'a', options);
  const b = stagedOperand(product, bindings, 'b', options);
  const tiles = splitTiles({ product, context, bindings, tile: shape, policy, band, quads: b.side.width === 4 });
  const sums = sumsOf(a.side, b.side);
  const code = `${bindings.declarations()}
${a.functions}
${b.functions}
${tiles.store}
${a.memory}
${b.memory}
${mainHeader(lanesOf(shape))} {
  ${tiles.locate}
  let x = lane % ${b.side.lanes}u;
  let y = lane / ${b.side.lanes}u;
  ${a.prepare}
  ${b.prepare}
  ${sums.map(({ name }) => `var ${name} = vec${b.side.width}f();`).join(' ')}
${LOOPS[staging](shape.tileDepth, {
  declare: `${a.declare} ${b.declare}`,
  load: (k) => `${a.load(k)}\n    ${b.load(k)}`,
  write: (buffer) => `${a.write(buffer)}\n    ${b.write(buffer)}`,
  multiply: (buffer) => `for (var i = 0u; i < ${shape.tileDepth}u; i++) {
      ${readVectors('a', a.side, 'y', a.buffer(buffer))}
      ${readVectors('b', b.side, 'x', b.buffer(buffer))}
${sums.map((sum) => `      ${sum.name} = fma(vec${b.side.width}f(${sum.factor}), ${sum.vector}, ${sum.name});`).join('\n')}
    }`,
})}
${sums.map((sum) => storeSum(sum, { product, shape, tiles, columns: b.side })).join('\n')}
}`;
  const label = `${product.label} ${tiledVariant(options).name}`;
  return tiles.finish({ label, code, bindings: bindings.bindings, workgroups: tiles.grid });
}

/** What a lane does with the tiles of both operands, in WGSL. */
interface TileStatements {
  /** Registers for what it loads. */
  declare: string;
  /** Loads its part of the tiles from depth `k` on. */
  load(k: string): string;
  /** Writes it to workgroup memory: to that of two buffers, if there are two. */
  write(buffer: string | undefined): string;
  /** Adds their product to its sums. */
  multiply(buffer: string | undefined): string;
}

/** The loop over k. */
const LOOPS: Record<Staging, (tileDepth: number, tile: TileStatements) => string> = {
  'just in time': (tileDepth, { declare, load, write, multiply }) => `
  for (var k = k_begin; k < k_end; k += ${tileDepth}u) {
    ${declare}
    ${load('k')}
    ${write(undefined)}
    workgroupBarrier();
    ${multiply(undefined)}
    workgroupBarrier();
  }`,
  ahead: (tileDepth, { declare, load, write, multiply }) => `
  ${declare}
  ${load('k_begin')}
  for (var k = k_begin; k < k_end; k += ${tileDepth}u) {
    ${write(undefined)}
    workgroupBarrier();
    if (k + ${tileDepth}u < k_end) {
    ${load(`(k + ${tileDepth}u)`)}
    }
    ${multiply(undefined)}
    workgroupBarrier();
  }`,
  'ahead, two buffers': (tileDepth, { declare, load, write, multiply }) => `
  ${declare}
  ${load('k_begin')}
  var buffer = 0u;
  ${write('buffer')}
  workgroupBarrier();
  for (var k = k_begin; k < k_end; k += ${tileDepth}u) {
    let is_last = k + ${tileDepth}u >= k_end;
    if (!is_last) {
    ${load(`(k + ${tileDepth}u)`)}
    }
    ${multiply('buffer')}
    buffer = 1u - buffer;
    if (!is_last) {
    ${write('buffer')}
    }
    workgroupBarrier();
  }`,
};

interface StagedOperand extends Omit<TileStatements, 'multiply'> {
  side: TileSide;
  functions: string;
  memory: string;
  prepare: string;
  /** The first vector of a buffer, to be added to an index. */
  buffer(buffer: string | undefined): string;
}

/** WGSL that brings an operand's tiles to workgroup memory, as [k, side]. */
function stagedOperand(
  product: Product,
  bindings: BindingSet,
  name: 'a' | 'b',
  { shape, depthReads, staging }: Required<TiledOptions>,
): StagedOperand {
  const side = tileSide(shape, name);
  const { tileDepth } = shape;
  const isBlocks = depthReads === 'blocks' && quadAccess(product, name, 'depth') === 'vec4';
  const along = isBlocks ? 'depth' : 'side';
  const reader = product[name].bind(bindings, quadAccess(product, name, along));
  const first = name === 'a' ? 'first_row' : 'first_column';
  const quads = side.length / 4;
  const alongDepth = product[name].contiguous === 'depth';
  const steps = isBlocks ? tileDepth / 4 : tileDepth;
  const [fast, slow] = alongDepth ? [steps, quads] : [quads, steps];
  const { prepare, rounds } = dealUnits({ name, lanes: lanesOf(shape), fast, slow });
  const vectors = tileDepth * side.pitch;
  const buffer = (which: string | undefined) => (which === undefined ? '' : ` + ${which} * ${vectors}u`);
  // Of a block, four quads along k.
  const parts = isBlocks ? [0, 1, 2, 3] : [0];
  const register = (round: number, part: number) => `${name}_next${round}_${part}`;
  const place = ({ fast, slow }: StagedUnit) => (alongDepth ? [fast, slow] : [slow, fast]);
  return {
    side,
    functions: `${reader.functions}\n${quadLoaderWgsl({ side: name, reader, product, along, tileSide: side.length, tileDepth })}`,
    memory: `var<workgroup> tile_${name}: array<vec${side.width}f, ${buffersOf(staging) * vectors}>;`,
    prepare,
    buffer,
    declare: rounds.flatMap((_, round) => parts.map((part) => `var ${register(round, part)}: vec4f;`)).join(' '),
    load: (k) =>
      rounds
        .map((unit, round) => {
          const [step, quad] = place(unit);
          const loads = parts.map((part) => {
            const position = `${first} + ${quad} * 4u${part > 0 ? ` + ${part}u` : ''}`;
            return `${register(round, part)} = load_${name}(batch, ${position}, ${k} + ${step}${isBlocks ? ' * 4u' : ''});`;
          });
          return unit.guarded(loads.join(' '));
        })
        .join('\n    '),
    write: (which) =>
      rounds
        .map((unit, round) => {
          const [step, quad] = place(unit);
          const write = (at: string, value: string) =>
            writeQuad(name, side, { step: at, quad, buffer: buffer(which), value });
          if (!isBlocks) return unit.guarded(write(step, register(round, 0)));
          const columns = parts.map((j) =>
            write(`(${step} * 4u + ${j}u)`, `vec4f(${parts.map((part) => `${register(round, part)}[${j}]`)})`),
          );
          return unit.guarded(columns.join(' '));
        })
        .join('\n    '),
  };
}

function writeQuad(
  name: string,
  { width, pitch }: TileSide,
  { step, quad, buffer, value }: Record<'step' | 'quad' | 'buffer' | 'value', string>,
): string {
  if (width === 4) return `tile_${name}[${step} * ${pitch}u + ${quad}${buffer}] = ${value};`;
  const at = `${step} * ${pitch}u + ${quad} * 2u${buffer}`;
  return `tile_${name}[${at}] = ${value}.xy; tile_${name}[${at} + 1u] = ${value}.zw;`;
}

/** The lane's vectors of a step, `a0`, `a1`, ...: neighbouring lanes read neighbouring vectors. */
function readVectors(name: string, { pitch, lanes, vectors }: TileSide, lane: string, buffer: string): string {
  return Array.from(
    { length: vectors },
    (_, v) => `let ${name}${v} = tile_${name}[i * ${pitch}u + ${lane}${v > 0 ? ` + ${v * lanes}u` : ''}${buffer}];`,
  ).join(' ');
}

/** A row of a lane's part of the tile, as long as a vector of b: its numbers, and where they are in the tile. */
interface Sum {
  name: string;
  factor: string;
  vector: string;
  row: string;
  column: string;
}

function sumsOf(a: TileSide, b: TileSide): Sum[] {
  const sums: Sum[] = [];
  for (let v = 0; v < a.vectors; v++) {
    for (let i = 0; i < a.width; i++) {
      for (let w = 0; w < b.vectors; w++) {
        sums.push({
          name: `sum${v}_${i}_${w}`,
          factor: `a${v}[${i}]`,
          vector: `b${w}`,
          row: `first_row + y * ${a.width}u + ${v * a.lanes * a.width + i}u`,
          column: `first_column + x * ${b.width}u + ${w * b.lanes * b.width}u`,
        });
      }
    }
  }
  return sums;
}

/** Stores the numbers that are inside: four at once where the product can. */
function storeSum(
  sum: Sum,
  { product, shape, tiles, columns }: { product: Product; shape: TileShape; tiles: SplitTiles; columns: TileSide },
): string {
  const { place } = tiles;
  const isWhole = product.n % shape.tileColumns === 0;
  const inside = (column: string, statement: string) =>
    isWhole ? statement : `if (${column} < ${product.n}u) { ${statement} }`;
  const stores = tiles.storesQuads
    ? [inside('column', `store_quad(${place}, row, column, ${sum.name});`)]
    : Array.from({ length: columns.width }, (_, j) =>
        inside(`column + ${j}u`, `store(${place}, row, column + ${j}u, ${sum.name}[${j}]);`),
      );
  const body = `let column = ${sum.column};\n    ${stores.join('\n    ')}`;
  const isInside = product.m % shape.tileRows === 0 ? '' : `if (row < ${product.m}u) `;
  return `  { let row = ${sum.row};\n  ${isInside}{ ${body} } }`;
}
