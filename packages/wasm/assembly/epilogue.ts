/**
 * @file The expression after a matrix product, evaluated in place over rows x columns of the output that were just
 * computed and are still in cache. Its input 0 is the output itself.
 */
import { evaluate } from './expression';
import { argAddress, scratch } from './scratch';

/** Byte offset of the interpreter's registers in a thread's scratch; kernels with epilogues use what is below. */
export const EPILOGUE_REGISTERS: usize = 1 << 18;

/** Evaluates elements [start, end) of the output at `output`, `block` at a time. */
export function epilogueRange(expression: usize, block: i32, start: i32, end: i32, output: usize, thread: i32): void {
  const registers = scratch(thread) + EPILOGUE_REGISTERS;
  for (; start < end; start += block) {
    evaluate(expression, start, min(block, end - start), registers, output + (<usize>start << 2));
  }
}

/** Rows [row, rowEnd) x columns [column, columnEnd) of an output with n columns, its address being argument word 19. */
export function epilogue(
  args: usize, word: i32, block: i32, row: i32, rowEnd: i32, column: i32, columnEnd: i32, n: i32, thread: i32,
): void {
  if (word == 0) return;
  const expression = args + (<usize>word << 2);
  const output = argAddress(args, 19);
  if (column == 0 && columnEnd == n) {
    epilogueRange(expression, block, row * n, rowEnd * n, output, thread);
    return;
  }
  for (; row < rowEnd; row++) epilogueRange(expression, block, row * n + column, row * n + columnEnd, output, thread);
}
