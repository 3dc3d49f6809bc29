/**
 * @file Interprets an expression over a run of elements: every instruction handles the whole run (some hundreds of
 * elements, which stay in the L1 cache) before the next one starts. A register is an address and a step: contiguous
 * inputs are read where they lie, a value that is the same for all elements is four equal lanes with step 0, and the
 * last instruction writes straight to where the result is wanted.
 *
 * Words of an expression, written by `src/expression.ts`: number of instructions, bytes of the register table, bytes
 * of a slot; from word 4 on the instructions, six words each: opcode, slot, a, b, c, unused. a, b, c are instruction
 * numbers; of a load, a is the word at which the view begins; of a constant, the word at which its four copies begin.
 */
import { Opcode } from '../src/opcode';
import { binary } from './binary';
import { storePair } from './simd';
import { unary } from './unary';
import { loadView, viewStep } from './view';

const INSTRUCTIONS: usize = 16;
const INSTRUCTION_BYTES: usize = 24;

@inline
function select4(condition: v128, a: v128, b: v128): v128 {
  return v128.bitselect(a, b, f32x4.ne(condition, f32x4.splat(0)));
}

function selectLoop(a: usize, aStep: usize, b: usize, bStep: usize, c: usize, cStep: usize, out: usize, vectors: i32): void {
  if (aStep & bStep & cStep) {
    for (; vectors >= 2; vectors -= 2, out += 32, a += 32, b += 32, c += 32) {
      const first = select4(v128.load(a), v128.load(b), v128.load(c));
      storePair(out, first, select4(v128.load(a, 16), v128.load(b, 16), v128.load(c, 16)));
    }
  }
  for (; vectors > 0; vectors--, out += 16, a += aStep, b += bStep, c += cStep) {
    v128.store(out, select4(v128.load(a), v128.load(b), v128.load(c)));
  }
}

/**
 * Evaluates elements [start, start + count) of the iteration space; count is at most the block the host chose.
 * `registers`: memory for the register table and the slots. If `destination` is not 0 the result is written there and
 * nothing after it; else it is wherever it came to be, padded to whole vectors. Returns its address.
 */
export function evaluate(expression: usize, start: i32, count: i32, registers: usize, destination: usize): usize {
  const instructions = load<i32>(expression);
  const slots = registers + <usize>load<u32>(expression, 4);
  const slotBytes = <usize>load<u32>(expression, 8);
  const last = instructions - 1;
  const writesThrough = destination != 0 && (count & 3) == 0;
  let instruction = expression + INSTRUCTIONS;
  let address: usize = 0;
  let step: usize = 0;
  for (let i = 0; i < instructions; i++, instruction += INSTRUCTION_BYTES) {
    const opcode = load<i32>(instruction);
    const slot = slots + <usize>load<u32>(instruction, 4) * slotBytes;
    if (opcode == Opcode.load) {
      address = loadView(expression + (<usize>load<u32>(instruction, 8) << 2), start, count, slot);
      step = viewStep;
    } else if (opcode == Opcode.constant) {
      address = expression + (<usize>load<u32>(instruction, 8) << 2);
      step = 0;
    } else {
      const a = registers + (<usize>load<u32>(instruction, 8) << 3);
      const b = registers + (<usize>load<u32>(instruction, 12) << 3);
      const c = registers + (<usize>load<u32>(instruction, 16) << 3);
      const aStep = <usize>load<u32>(a, 4);
      step = aStep;
      if (opcode >= Opcode.add) step |= <usize>load<u32>(b, 4);
      if (opcode == Opcode.select) step |= <usize>load<u32>(c, 4);
      // Equal operands give equal results: one vector of them.
      const vectors = step == 0 ? 1 : (count + 3) >> 2;
      address = i == last && writesThrough && step != 0 ? destination : slot;
      if (opcode < Opcode.add) {
        unary(opcode, <usize>load<u32>(a), address, vectors);
      } else if (opcode < Opcode.select) {
        binary(opcode, <usize>load<u32>(a), aStep, <usize>load<u32>(b), <usize>load<u32>(b, 4), address, vectors);
      } else {
        selectLoop(
          <usize>load<u32>(a), aStep, <usize>load<u32>(b), <usize>load<u32>(b, 4),
          <usize>load<u32>(c), <usize>load<u32>(c, 4), address, vectors,
        );
      }
    }
    store<u32>(registers + (<usize>i << 3), <u32>address);
    store<u32>(registers + (<usize>i << 3), <u32>step, 4);
  }
  return deliver(address, step, count, slots, destination);
}

/** Brings the result to its destination, or makes a repeated value dense (in slot 0, which is kept free for it). */
function deliver(address: usize, step: usize, count: i32, spare: usize, destination: usize): usize {
  if (step == 0) {
    const value = v128.load(address);
    const end = spare + (<usize>count << 2);
    for (let target = spare; target < end; target += 16) v128.store(target, value);
    address = spare;
  }
  if (destination == 0 || address == destination) return address;
  memory.copy(destination, address, <usize>count << 2);
  return destination;
}
