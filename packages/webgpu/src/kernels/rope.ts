/**
 * @file Rotary position embedding of x [rows, heads, headDim] by cos, sin [tableRows, headDim / 2] at row
 * positions[row] (i32 [rows]): each pair (a, b) becomes (a cos - b sin, a sin + b cos); `inverse` negates sin, which is
 * also the gradient. Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 34.
 */
import type { RopeKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext } from '../lowering.js';
import { threadDispatch } from './thread-dispatch.js';

/** One thread rotates one pair. A position out of range leaves its row as it is. */
export function lowerRope(kernel: RopeKernel, context: LoweringContext): Dispatch[] {
  const { rows, heads, headDim, tableRows, interleaved, inverse } = kernel;
  const pairs = headDim / 2;

  const bindings = new BindingSet(context);
  const x = bindings.buffer(kernel.x, 'x');
  const positions = bindings.buffer(kernel.positions, 'positions', 'i32');
  const cos = bindings.buffer(kernel.cos, 'cos_table');
  const sin = bindings.buffer(kernel.sin, 'sin_table');
  const output = bindings.buffer(kernel.output, 'output');
  const body = `
  let pair = index % ${pairs}u;
  let first = index / ${pairs}u * ${headDim}u + pair${interleaved ? ' * 2u' : ''};
  let second = first + ${interleaved ? 1 : pairs}u;
  let a = ${x.at('first')};
  let b = ${x.at('second')};
  var c = 1.0;
  var s = 0.0;
  let position = u32(${positions.at(`index / ${heads * pairs}u`)});
  if (position < ${tableRows}u) {
    c = ${cos.at(`position * ${pairs}u + pair`)};
    s = ${inverse ? '-' : ''}${sin.at(`position * ${pairs}u + pair`)};
  }
  ${output.set('first', 'a * c - b * s')}
  ${output.set('second', 'a * s + b * c')}`;
  return [threadDispatch({ label: 'rope', count: rows * heads * pairs, bindings, body, device: context.device })];
}
