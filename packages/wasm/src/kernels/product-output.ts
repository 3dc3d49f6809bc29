/** @file What the commands of matrix products and convolutions say of their output: its address, parts and epilogue. */
import type { Epilogue } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { type EncodedExpression, encodeExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';
import { rowMajorStrides } from '../views.js';

/** Words of the commands' arguments; the epilogue's expression follows. */
const ARGUMENT_WORDS = 24;
/** Word of the output's address, in all of them. */
const OUTPUT_WORD = 19;

/** The expression after a product into `output`, over the product's iteration space. */
export function encodeEpilogue(
  epilogue: Epilogue | undefined,
  shape: number[],
  output: number,
  context: EncodeContext,
): EncodedExpression | undefined {
  if (!epilogue) return undefined;
  const own = { buffer: output, offset: 0, strides: rowMajorStrides(shape) };
  const inputs = [own, ...epilogue.views].map((view) => ({ view, address: context.address(view.buffer) }));
  return encodeExpression(shape, inputs, epilogue.expression);
}

/** A command's arguments: its own words, the output's words 19 to 23, and the epilogue behind them. */
export function withOutput(
  words: number[],
  output: { address: number; batchBytes?: number; partBytes?: number; epilogue?: EncodedExpression },
): number[] {
  const { address, batchBytes = 0, partBytes = 0, epilogue } = output;
  const unused = new Array<number>(OUTPUT_WORD - words.length).fill(0);
  const after = epilogue ? [ARGUMENT_WORDS, epilogue.block, ...epilogue.words] : [0, 0];
  return [...words, ...unused, address, batchBytes, partBytes, ...after];
}

/** Adds up the parts of a product whose depth was cut, in order, and applies the epilogue. */
export function combineCommand(options: {
  elements: number;
  parts: number;
  /** Addresses of the parts, [parts, elements], and of the result. */
  partial: number;
  target: number;
  epilogue?: EncodedExpression;
}): Command {
  const { elements, parts, partial, target, epilogue } = options;
  const perTile = itemsPerTile(elements, 0.2 * parts + (epilogue?.cost ?? 0), 256);
  return {
    kernel: KernelId.matmulCombine,
    tiles: Math.ceil(elements / perTile),
    args: withOutput([elements, perTile, parts, elements * 4, partial], { address: target, epilogue }),
  };
}
