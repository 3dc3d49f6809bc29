/**
 * @file Tiles of an operand on their way to workgroup memory: which lane reads which quad, and the WGSL that reads one
 * from any operand, with zeros outside.
 */
import { type Access, type OperandReader, type Product, widestAccess } from './product.js';

/** A quad is four neighbours along one axis of the operand. */
type Axis = 'side' | 'depth';

/** The widest access to an operand whose quads are along `along`: they can be read at once if it is contiguous there. */
export function quadAccess(product: Product, side: 'a' | 'b', along: Axis): Access {
  return product[side].contiguous === along ? widestAccess(product, side) : 'scalar';
}

/**
 * `fn load_a(batch, position, k) -> vec4f` (`load_b`): the quad of op(a) that begins at row `position` and depth `k` (of
 * op(b), at column `position`). What is outside is zero.
 * @param options.tileSide, tileDepth what positions and depths are rounded up to: no test where that is exact.
 */
export function quadLoaderWgsl(options: {
  side: 'a' | 'b';
  reader: OperandReader;
  product: Product;
  along: Axis;
  tileSide: number;
  tileDepth: number;
}): string {
  const { side, reader, product, along, tileSide, tileDepth } = options;
  const length = side === 'a' ? product.m : product.n;
  const isInside = { side: length % tileSide === 0, depth: product.k % tileDepth === 0 };
  const inside = { side: `< ${length}u`, depth: `< ${product.k}u` };
  const start = { side: 'position', depth: 'k' };
  const prepare = (axis: Axis, position: string) =>
    axis === 'side' ? reader.side('at', 'batch', position) : reader.depth('depth', position);
  const across = along === 'side' ? 'depth' : 'side';
  const zeroOutside = (axis: Axis) =>
    isInside[axis] ? '' : `  if (!(${start[axis]} ${inside[axis]})) { return vec4f(); }\n`;
  const header = `fn load_${side}(batch: u32, position: u32, k: u32) -> vec4f {\n${zeroOutside(across)}`;
  if (quadAccess(product, side, along) === 'vec4') {
    return `${header}${zeroOutside(along)}  ${prepare('side', 'position')} ${prepare('depth', 'k')}
  return ${reader.at('at', 'depth')};\n}`;
  }
  const lines = [0, 1, 2, 3].map((i) => {
    const position = `${start[along]} + ${i}u`;
    const load = `${prepare(along, position)} quad[${i}] = ${reader.at('at', 'depth')};`;
    return isInside[along] ? `  { ${load} }` : `  if (${position} ${inside[along]}) { ${load} }`;
  });
  return `${header}  ${prepare(across, start[across])}\n  var quad = vec4f();\n${lines.join('\n')}\n  return quad;\n}`;
}

/** What a lane does in one round: the unit at `fast`, `slow`. */
export interface StagedUnit {
  fast: string;
  slow: string;
  /** The statements, only where the lane has a unit in this round. */
  guarded(statements: string): string;
}

/**
 * Deals `fast` x `slow` units of a tile to the lanes, round by round, neighbours along the fast axis to neighbouring
 * lanes: that should be the axis along which neighbours are neighbours in memory.
 */
export function dealUnits(options: { name: string; lanes: number; fast: number; slow: number }): {
  /** Statements, once before the loop over k. */
  prepare: string;
  rounds: StagedUnit[];
} {
  const { name, lanes, fast, slow } = options;
  const units = fast * slow;
  const lets: string[] = [];
  const rounds = Array.from({ length: Math.ceil(units / lanes) }, (_, round): StagedUnit => {
    const unit = round === 0 ? 'lane' : `(lane + ${round * lanes}u)`;
    lets.push(`let ${name}_fast${round} = ${unit} % ${fast}u; let ${name}_slow${round} = ${unit} / ${fast}u;`);
    const isWhole = (round + 1) * lanes <= units;
    return {
      fast: `${name}_fast${round}`,
      slow: `${name}_slow${round}`,
      guarded: (statements) => (isWhole ? statements : `if (${unit} < ${units}u) { ${statements} }`),
    };
  });
  return { prepare: lets.join('\n  '), rounds };
}
