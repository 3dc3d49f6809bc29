/** @file The two-operand instructions of the expression interpreter, over whole vectors. */
import { Opcode } from '../src/opcode';
import { pow4 } from './math';
import { storePair } from './simd';

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
    if (aStep == 0) {
      const x = v128.load(a);
      for (; vectors >= 4; vectors -= 4, b += 64, out += 64) {
        four(
          opcode, x, x, x, x, v128.load(b), v128.load(b, 16), v128.load(b, 32), v128.load(b, 48), out,
        );
      }
    } else if (bStep == 0) {
      const y = v128.load(b);
      for (; vectors >= 4; vectors -= 4, a += 64, out += 64) {
        four(
          opcode, v128.load(a), v128.load(a, 16), v128.load(a, 32), v128.load(a, 48), y, y, y, y, out,
        );
      }
    } else {
      for (; vectors >= 4; vectors -= 4, a += 64, b += 64, out += 64) {
        four(
          opcode, v128.load(a), v128.load(a, 16), v128.load(a, 32), v128.load(a, 48),
          v128.load(b), v128.load(b, 16), v128.load(b, 32), v128.load(b, 48), out,
        );
      }
    }
  }
  for (; vectors > 0; vectors--, a += aStep, b += bStep, out += 16) {
    v128.store(out, apply(opcode, v128.load(a), v128.load(b)));
  }
}

@inline
function four(
  opcode: i32, x0: v128, x1: v128, x2: v128, x3: v128, y0: v128, y1: v128, y2: v128, y3: v128, out: usize,
): void {
  storePair(out, apply(opcode, x0, y0), apply(opcode, x1, y1));
  storePair(out + 32, apply(opcode, x2, y2), apply(opcode, x3, y3));
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
