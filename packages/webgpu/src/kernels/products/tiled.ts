/**
 * @file Matrix product for GPUs: a workgroup computes a tile of the output, each invocation some rows and columns of it in
 * registers, from tiles of both operands in workgroup memory. A template: which shape is fastest depends on the adapter
 * and the product (`candidates.ts`).
 */
import { BindingSet, type Dispatch, type LoweringContext, type LoweringDevice, mainHeader } from '../../lowering.js';
import type { Product } from './product.js';
import { type SplitPolicy, splitTiles, type TileSize } from './split.js';
import { dealUnits, quadAccess, quadLoaderWgsl } from './staging.js';
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

export interface TiledOptions {
  shape: TileShape;
  /** Default 'split'. */
  policy?: SplitPolicy;
  /** Default 'scalars'. */
  depthReads?: DepthReads;
}

export function tiledVariant(options: TiledOptions): Variant {
  const { shape, policy = 'split', depthReads = 'scalars' } = options;
  const { tileRows, tileColumns, tileDepth, rowsPerLane, columnsPerLane } = shape;
  const size = `tiled ${tileRows}x${tileColumns}x${tileDepth} by ${rowsPerLane}x${columnsPerLane}`;
  return {
    name: `${size}${depthReads === 'blocks' ? ' in blocks' : ''}${policy === 'split' ? '' : `, ${policy}`}`,
    lower: (product, context) => lowerTiled(product, context, { shape, policy, depthReads }),
  };
}

/** Whether a workgroup of the device has the invocations and the memory for the shape. */
export function tiledFits(shape: TileShape, device: LoweringDevice): boolean {
  const [rows, columns] = [tileSide(shape, 'a'), tileSide(shape, 'b')];
  const bytes = (side: TileSide) => shape.tileDepth * side.pitch * side.width * 4;
  return (
    lanesOf(shape) <= device.maxInvocationsPerWorkgroup &&
    bytes(rows) + bytes(columns) <= device.maxWorkgroupStorageBytes
  );
}

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
  const { shape, policy } = options;
  const { tileDepth } = shape;
  const bindings = new BindingSet(context);
  const a = stagedOperand(product, bindings, 'a', options);
  const b = stagedOperand(product, bindings, 'b', options);
  const tiles = splitTiles({ product, context, bindings, tile: shape, policy });
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
  for (var k = k_begin; k < k_end; k += ${tileDepth}u) {
    ${a.stage}
    ${b.stage}
    workgroupBarrier();
    for (var i = 0u; i < ${tileDepth}u; i++) {
      ${readVectors('a', a.side, 'y')}
      ${readVectors('b', b.side, 'x')}
${sums.map((sum) => `      ${sum.name} = fma(vec${b.side.width}f(${sum.factor}), ${sum.vector}, ${sum.name});`).join('\n')}
    }
    workgroupBarrier();
  }
${sums.map((sum) => storeSum(sum, { product, shape, place: tiles.place, columns: b.side })).join('\n')}
}`;
  const label = `${product.label} ${tiledVariant(options).name}`;
  return tiles.finish({ label, code, bindings: bindings.bindings, workgroups: tiles.grid });
}

/** WGSL that brings an operand's tiles to workgroup memory, as [k, side]. */
function stagedOperand(
  product: Product,
  bindings: BindingSet,
  name: 'a' | 'b',
  { shape, depthReads }: Required<TiledOptions>,
): { side: TileSide; functions: string; memory: string; prepare: string; stage: string } {
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
  const stage = rounds.map((unit, round) => {
    const [step, quad] = alongDepth ? [unit.fast, unit.slow] : [unit.slow, unit.fast];
    const load = (position: string, k: string) => `load_${name}(batch, ${first} + ${position}, k + ${k})`;
    if (!isBlocks) {
      const value = `${name}_value${round}`;
      return unit.guarded(`let ${value} = ${load(`${quad} * 4u`, step)}; ${writeQuad(name, side, step, quad, value)}`);
    }
    const row = (i: number) => `${name}_row${round}_${i}`;
    const reads = [0, 1, 2, 3].map((i) => `let ${row(i)} = ${load(`${quad} * 4u + ${i}u`, `${step} * 4u`)};`);
    const writes = [0, 1, 2, 3].map((j) =>
      writeQuad(name, side, `(${step} * 4u + ${j}u)`, quad, `vec4f(${[0, 1, 2, 3].map((i) => `${row(i)}[${j}]`)})`),
    );
    return unit.guarded([...reads, ...writes].join(' '));
  });
  return {
    side,
    functions: `${reader.functions}\n${quadLoaderWgsl({ side: name, reader, product, along, tileSide: side.length, tileDepth })}`,
    memory: `var<workgroup> tile_${name}: array<vec${side.width}f, ${tileDepth * side.pitch}>;`,
    prepare,
    stage: stage.join('\n    '),
  };
}

function writeQuad(name: string, { width, pitch }: TileSide, step: string, quad: string, value: string): string {
  if (width === 4) return `tile_${name}[${step} * ${pitch}u + ${quad}] = ${value};`;
  const at = `${step} * ${pitch}u + ${quad} * 2u`;
  return `tile_${name}[${at}] = ${value}.xy; tile_${name}[${at} + 1u] = ${value}.zw;`;
}

/** The lane's vectors of a step, `a0`, `a1`, ...: neighbouring lanes read neighbouring vectors. */
function readVectors(name: string, { pitch, lanes, vectors }: TileSide, lane: string): string {
  return Array.from(
    { length: vectors },
    (_, v) => `let ${name}${v} = tile_${name}[i * ${pitch}u + ${lane}${v > 0 ? ` + ${v * lanes}u` : ''}];`,
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

/** Stores the numbers that are inside. */
function storeSum(sum: Sum, tile: { product: Product; shape: TileShape; place: string; columns: TileSide }): string {
  const { product, shape, place, columns } = tile;
  const stores = Array.from({ length: columns.width }, (_, j) => {
    const store = `store(${place}, row, column + ${j}u, ${sum.name}[${j}]);`;
    return product.n % shape.tileColumns === 0 ? store : `if (column + ${j}u < ${product.n}u) { ${store} }`;
  });
  const body = `let column = ${sum.column};\n    ${stores.join('\n    ')}`;
  const isInside = product.m % shape.tileRows === 0 ? '' : `if (row < ${product.m}u) `;
  return `  { let row = ${sum.row};\n  ${isInside}{ ${body} } }`;
}
