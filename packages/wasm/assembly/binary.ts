/** @file The two-operand instructions of the expression interpreter, over whole vectors. */
import { Opcode } from '../src/opcode';
import { pow4 } from './math';

@inline
function truth(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1));
}

@inline
function apply(opcode: i32, x: v128, y: v128): v128 {
  if (opcode == Opcode.add) return f32x4.add(x, y);
  if (opcode == Opcode.sub) return f32x4.sub(x, y);
  if (opcode == Opcode.mul) return f32x4.mul(x, y);
  if (opcode == Opcode.div) return f32x4.div(x, y);
  if (opcode == Opcode.max) return f32x4.max(x, y);
  if (opcode == Opcode.min) return f32x4.min(x, y);
  if (opcode == Opcode.pow) return pow4(x, y);
  if (opcode == Opcode.less) return truth(f32x4.lt(x, y));
  if (opcode == Opcode.lessEqual) return truth(f32x4.le(x, y));
  if (opcode == Opcode.equal) return truth(f32x4.eq(x, y));
  return truth(f32x4.ne(x, y));
}

/** `opcode` is a literal at every call, so that each instruction is a loop of its own. */
@inline
function loop(opcode: i32, a: usize, aStep: usize, b: usize, bStep: usize, out: usize, vectors: i32): void {
  if (opcode != Opcode.pow) {
    const a2 = aStep << 1;
    const b2 = bStep << 1;
    for (; vectors >= 4; vectors -= 4, out += 64) {
      const x0 = apply(opcode, v128.load(a), v128.load(b));
      const x1 = apply(opcode, v128.load(a + aStep), v128.load(b + bStep));
      a += a2;
      b += b2;
      const x2 = apply(opcode, v128.load(a), v128.load(b));
      const x3 = apply(opcode, v128.load(a + aStep), v128.load(b + bStep));
      a += a2;
      b += b2;
      v128.store(out, x0);
      v128.store(out, x1, 16);
      v128.store(out, x2, 32);
      v128.store(out, x3, 48);
    }
  }
  for (; vectors > 0; vectors--, a += aStep, b += bStep, out += 16) {
    v128.store(out, apply(opcode, v128.load(a), v128.load(b)));
  }
}

/** out[i] = opcode(a[i], b[i]) for `vectors` groups of four elements; a step of 0 repeats an operand's first group. */
export function binary(opcode: i32, a: usize, aStep: usize, b: usize, bStep: usize, out: usize, vectors: i32): void {
  switch (opcode) {
    case Opcode.add: loop(Opcode.add, a, aStep, b, bStep, out, vectors); break;
    case Opcode.sub: loop(Opcode.sub, a, aStep, b, bStep, out, vectors); break;
    case Opcode.mul: loop(Opcode.mul, a, aStep, b, bStep, out, vectors); break;
    case Opcode.div: loop(Opcode.div, a, aStep, b, bStep, out, vectors); break;
    case Opcode.max: loop(Opcode.max, a, aStep, b, bStep, out, vectors); break;
    case Opcode.min: loop(Opcode.min, a, aStep, b, bStep, out, vectors); break;
    case Opcode.pow: loop(Opcode.pow, a, aStep, b, bStep, out, vectors); break;
    case Opcode.less: loop(Opcode.less, a, aStep, b, bStep, out, vectors); break;
    case Opcode.lessEqual: loop(Opcode.lessEqual, a, aStep, b, bStep, out, vectors); break;
    case Opcode.equal: loop(Opcode.equal, a, aStep, b, bStep, out, vectors); break;
    case Opcode.notEqual: loop(Opcode.notEqual, a, aStep, b, bStep, out, vectors); break;
    default: unreachable();
  }
}
