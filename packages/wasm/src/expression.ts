/** @file Encodes an expression for the wasm interpreter: register slots by lifetime, and a block size that fits L1. */
import type { Expression, Instruction, View } from '@transfusion/tensor';
import { kernelTooLarge } from '@transfusion/tensor';
import { floatWord } from './command.js';
import { REGISTER_BYTES } from './layout.js';
import { Opcode } from './opcode.js';
import { isContiguous, mergeAxes, product, viewWords } from './views.js';

export interface EncodedExpression {
  /** To be placed in the arguments, contiguously. */
  words: number[];
  /** Elements the interpreter handles at a time. */
  block: number;
  /** Bytes it uses of the thread's scratch. */
  registerBytes: number;
  /** Rough nanoseconds per element on one thread, to choose tiles by. */
  cost: number;
}

/** Positions, and one block more, are 32-bit integers. */
const MOST_ELEMENTS = 2 ** 31 - 2 ** 16;

const HEADER_WORDS = 4;
const INSTRUCTION_WORDS = 6;
/** Bytes of live slots that leave room for the streams in a 32 KiB L1 cache. */
const SLOT_BUDGET = 24 * 1024;
/** Gathered runs and whole vectors may end beyond the last element. */
const SLOT_PADDING = 32;

const SLOW: Partial<Record<Instruction['op'], number>> = {
  exp: 1,
  log: 1.2,
  sin: 1.5,
  cos: 1.5,
  tanh: 1.5,
  erf: 2,
  sigmoid: 1.2,
  pow: 6,
  div: 0.4,
  sqrt: 0.4,
  rsqrt: 0.6,
  reciprocal: 0.4,
};

/** The registers an instruction reads. */
function operands(instruction: Instruction): number[] {
  switch (instruction.op) {
    case 'load':
    case 'constant':
      return [];
    case 'select':
      return [instruction.condition, instruction.a, instruction.b];
    default:
      return 'b' in instruction ? [instruction.a, instruction.b] : [instruction.a];
  }
}

/**
 * @param shape the iteration space, in the order in which elements will be numbered.
 * @param inputs the views of `load` instructions, with their byte addresses.
 */
export function encodeExpression(
  shape: number[],
  inputs: { view: View; address: number }[],
  expression: Expression,
): EncodedExpression {
  if (product(shape) > MOST_ELEMENTS) {
    throw kernelTooLarge({
      backend: 'wasm',
      what: `an expression over [${shape.join(', ')}] has ${product(shape)} elements`,
      limit: String(MOST_ELEMENTS),
      fix: 'use a smaller batch or shorter sequences',
    });
  }
  const { slots, count } = assignSlots(shape, inputs, expression);
  const block = chooseBlock(shape, inputs, count);
  const tableBytes = Math.ceil(expression.length / 2) * 16;
  const slotBytes = block * 4 + SLOT_PADDING;
  const instructions: number[] = [];
  const data: number[] = [];
  const dataStart = HEADER_WORDS + expression.length * INSTRUCTION_WORDS;
  expression.forEach((instruction, index) => {
    const words: number[] = [Opcode[instruction.op], slots[index], ...operands(instruction)];
    if (instruction.op === 'load') {
      const { view, address } = inputs[instruction.input];
      words.push(dataStart + data.length);
      data.push(...viewWords(shape, view, address));
    } else if (instruction.op === 'constant') {
      words.push(dataStart + data.length);
      data.push(...new Array<number>(4).fill(floatWord(instruction.value)));
    }
    while (words.length < INSTRUCTION_WORDS) words.push(0);
    instructions.push(...words);
  });
  return {
    words: [expression.length, tableBytes, slotBytes, 0, ...instructions, ...data],
    block,
    registerBytes: tableBytes + count * slotBytes,
    cost: expression.reduce((total, { op }) => total + (SLOW[op] ?? 0.15), 0.1),
  };
}

/** A slot for each instruction that needs memory, shared by values that are not alive at the same time. Slot 0 is kept for the result. */
function assignSlots(shape: number[], inputs: { view: View }[], expression: Expression) {
  const lastUse = expression.map((_, index) => index);
  expression.forEach((instruction, index) => {
    for (const operand of operands(instruction)) lastUse[operand] = index;
  });
  const free: number[] = [];
  let count = 1;
  const slots = expression.map(() => 0);
  expression.forEach((instruction, index) => {
    const inPlace =
      instruction.op === 'constant' ||
      (instruction.op === 'load' && isContiguous(shape, inputs[instruction.input].view.strides));
    if (!inPlace) slots[index] = free.pop() ?? count++;
    // An operand that ends here gives its slot to later results: this one may not overwrite what it still reads.
    const ended = new Set(operands(instruction).filter((operand) => lastUse[operand] === index));
    if (lastUse[index] === index) ended.add(index);
    for (const register of ended) if (slots[register] > 0) free.push(slots[register]);
  });
  return { slots, count };
}

/**
 * Elements per block. Blocks that are whole runs of the views that do not merge (a bias, a row's scale) let these be
 * read in place; else as many as fit into L1.
 */
function chooseBlock(shape: number[], inputs: { view: View }[], slots: number): number {
  let most = 1024;
  while (most > 64 && most * 4 * slots > SLOT_BUDGET) most /= 2;
  const limit = Math.floor(REGISTER_BYTES / 2 / slots / 4) & ~15;
  if (limit < 16) {
    throw kernelTooLarge({
      backend: 'wasm',
      what: `an expression needs ${slots} registers at once`,
      limit: String(REGISTER_BYTES / 2 / 64),
      fix: 'split the expression into several kernels',
    });
  }
  most = Math.min(most, limit);
  let run = Number.POSITIVE_INFINITY;
  for (const { view } of inputs) {
    const axes = mergeAxes(shape, view.strides);
    if (axes.length > 1) run = Math.min(run, axes[0].extent);
  }
  if (run === Number.POSITIVE_INFINITY || run < 96) return most;
  if (run <= most) return run;
  return Math.ceil(run / Math.ceil(run / most) / 4) * 4;
}
