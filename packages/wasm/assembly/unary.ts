/** @file The one-operand instructions of the expression interpreter, over whole vectors. */
import { Opcode } from '../src/opcode';
import { constants } from './constants';
import { cos4, erf4, exp4, log4, sigmoid4, sin4, tanh4 } from './math';
import { storePair } from './simd';

@inline
function apply(opcode: i32, x: v128, k: usize): v128 {
  if (opcode == Opcode.neg) return f32x4.neg(x);
  if (opcode == Opcode.abs) return f32x4.abs(x);
  if (opcode == Opcode.exp) return exp4(x, k);
  if (opcode == Opcode.log) return log4(x, k);
  if (opcode == Opcode.sqrt) return f32x4.sqrt(x);
  if (opcode == Opcode.rsqrt) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  if (opcode == Opcode.sin) return sin4(x, k);
  if (opcode == Opcode.cos) return cos4(x, k);
  if (opcode == Opcode.tanh) return tanh4(x, k);
  if (opcode == Opcode.erf) return erf4(x, k);
  if (opcode == Opcode.sigmoid) return sigmoid4(x, k);
  if (opcode == Opcode.floor) return f32x4.floor(x);
  if (opcode == Opcode.reciprocal) return f32x4.div(f32x4.splat(1), x);
  if (opcode == Opcode.toFloat) return f32x4.convert_i32x4_s(x);
  return i32x4.trunc_sat_f32x4_s(x);
}

/** `opcode` is a literal at every call, so that each instruction is a loop of its own. */
@inline
function loop(opcode: i32, a: usize, out: usize, vectors: i32): void {
  const k = constants;
  const end = out + (<usize>vectors << 4);
  // By fours: the loop's own cost, and loading constants into registers, which V8 does anew in every iteration, are
  // shared. Twice to three times as fast; sin and cos have a branch inside.
  if (opcode != Opcode.sin && opcode != Opcode.cos) {
    for (const wide = out + (<usize>(vectors & ~3) << 4); out < wide; out += 64, a += 64) {
      const x0 = apply(opcode, v128.load(a), k);
      const x1 = apply(opcode, v128.load(a, 16), k);
      const x2 = apply(opcode, v128.load(a, 32), k);
      const x3 = apply(opcode, v128.load(a, 48), k);
      storePair(out, x0, x1);
      storePair(out + 32, x2, x3);
    }
  }
  for (; out < end; out += 16, a += 16) v128.store(out, apply(opcode, v128.load(a), k));
}

/** out[i] = opcode(a[i]) for `vectors` groups of four elements. */
export function unary(opcode: i32, a: usize, out: usize, vectors: i32): void {
  switch (opcode) {
    case Opcode.neg: loop(Opcode.neg, a, out, vectors); break;
    case Opcode.abs: loop(Opcode.abs, a, out, vectors); break;
    case Opcode.exp: loop(Opcode.exp, a, out, vectors); break;
    case Opcode.log: loop(Opcode.log, a, out, vectors); break;
    case Opcode.sqrt: loop(Opcode.sqrt, a, out, vectors); break;
    case Opcode.rsqrt: loop(Opcode.rsqrt, a, out, vectors); break;
    case Opcode.sin: loop(Opcode.sin, a, out, vectors); break;
    case Opcode.cos: loop(Opcode.cos, a, out, vectors); break;
    case Opcode.tanh: loop(Opcode.tanh, a, out, vectors); break;
    case Opcode.erf: loop(Opcode.erf, a, out, vectors); break;
    case Opcode.sigmoid: loop(Opcode.sigmoid, a, out, vectors); break;
    case Opcode.floor: loop(Opcode.floor, a, out, vectors); break;
    case Opcode.reciprocal: loop(Opcode.reciprocal, a, out, vectors); break;
    case Opcode.toFloat: loop(Opcode.toFloat, a, out, vectors); break;
    case Opcode.toInt: loop(Opcode.toInt, a, out, vectors); break;
    default: unreachable();
  }
}
