/**
 * @file Cross-entropy of logits [rows, classes] with targets i32 [rows]: lse = log sum exp(logits) [rows],
 * loss = lse - logits[target] [rows], 0 where the target is outside [0, classes); and its gradient
 * dLogits = dLoss (exp(logits - lse) - onehot(target)), 0 for ignored rows. dLoss [rows].
 */
import type { CrossEntropyGradKernel, CrossEntropyKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext } from '../lowering.js';
import { numericsWgsl } from './numerics.js';
import { rowDispatch, rowLogSumExp } from './rows.js';
import { threadDispatch } from './thread-dispatch.js';

export function lowerCrossEntropy(kernel: CrossEntropyKernel, context: LoweringContext): Dispatch[] {
  const { rows, classes } = kernel;
  const bindings = new BindingSet(context);
  const logits = bindings.buffer(kernel.logits, 'logits');
  const targets = bindings.buffer(kernel.targets, 'targets', 'i32');
  const loss = bindings.buffer(kernel.loss, 'loss');
  const lse = bindings.buffer(kernel.lse, 'lse');
  // A negative target becomes a u32 above 2^31, so one comparison covers both ends.
  const body = `
  let base = row * ${classes}u;
  ${rowLogSumExp({ columns: classes, load: logits.at('base + column') })}
  if (!inside || lane != 0u) { return; }
  let log_sum = maximum + precise_log(total);
  ${lse.set('row', 'log_sum')}
  let label = u32(${targets.at('row')});
  var value = 0.0;
  if (label < ${classes}u) { value = log_sum - ${logits.at('base + label')}; }
  ${loss.set('row', 'value')}`;
  const { device } = context;
  return [rowDispatch({ label: 'crossEntropy', rows, columns: classes, bindings, body, device })];
}

/** Needs no sum over the row: one thread per logit. */
export function lowerCrossEntropyGrad(kernel: CrossEntropyGradKernel, context: LoweringContext): Dispatch[] {
  const { rows, classes } = kernel;
  const bindings = new BindingSet(context);
  const logits = bindings.buffer(kernel.logits, 'logits');
  const targets = bindings.buffer(kernel.targets, 'targets', 'i32');
  const lse = bindings.buffer(kernel.lse, 'lse');
  const dLoss = bindings.buffer(kernel.dLoss, 'd_loss');
  const dLogits = bindings.buffer(kernel.dLogits, 'd_logits');
  const body = `
  let row = index / ${classes}u;
  let label = u32(${targets.at('row')});
  var gradient = 0.0;
  if (label < ${classes}u) {
    let probability = precise_exp(${logits.at('index')} - ${lse.at('row')});
    gradient = ${dLoss.at('row')} * (probability - select(0.0, 1.0, index % ${classes}u == label));
  }
  ${dLogits.set('index', 'gradient')}`;
  const functions = numericsWgsl(['precise_exp']);
  const { device } = context;
  return [threadDispatch({ label: 'crossEntropyGrad', count: rows * classes, bindings, body, functions, device })];
}
