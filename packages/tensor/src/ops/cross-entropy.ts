/** @file Cross-entropy of logits against target classes, with ignored targets. */

import { apply, applyAll, type OpDefinition, type Tensor } from '../graph/node.js';
import { sameShape, shapeError, showShape } from '../graph/shape.js';
import { requireDType } from './elementwise.js';
import { logSumExp } from './softmax.js';

/** Inputs logits [..., classes], targets i32 [...]; outputs loss [...] and lse [...]. */
const crossEntropyOp: OpDefinition<null> = {
  name: 'crossEntropy',
  infer([logits, targets]) {
    requireDType('crossEntropy(logits)', logits, 'f32');
    requireDType('crossEntropy(targets)', targets, 'i32');
    const rows = logits.shape.slice(0, -1);
    if (logits.shape.length < 1 || !sameShape(rows, targets.shape)) {
      throw shapeError(
        `crossEntropy: logits are ${showShape(logits.shape)}, so targets must be ${showShape(rows)}, got ${showShape(targets.shape)}`,
      );
    }
    return [
      { shape: rows, dtype: 'f32' },
      { shape: rows, dtype: 'f32' },
    ];
  },
  reference({ inputs: [logits, targets], inputTypes: [type] }) {
    const classes = type.shape.at(-1)!;
    const loss = new Float64Array(targets.length);
    const lse = new Float64Array(targets.length);
    targets.forEach((target, row) => {
      lse[row] = logSumExp(logits.subarray(row * classes, (row + 1) * classes));
      if (target >= 0 && target < classes) loss[row] = lse[row] - logits[row * classes + target];
    });
    return [loss, lse];
  },
  gradient({ inputs: [logits, targets], outputs: [, lse], gradients: [g] }) {
    return [g && apply(crossEntropyGradOp, [logits, targets, lse, g], null), undefined];
  },
  kernel({ inputs, reads: [logits, targets], writes: [loss, lse] }) {
    return { kind: 'crossEntropy', ...rowsAndClasses(inputs), logits, targets, loss, lse };
  },
};

const crossEntropyGradOp: OpDefinition<null> = {
  name: 'crossEntropyGrad',
  infer: ([logits]) => [logits],
  reference({ inputs: [logits, targets, lse, g], inputTypes: [type] }) {
    const classes = type.shape.at(-1)!;
    const result = new Float64Array(logits.length);
    targets.forEach((target, row) => {
      if (target < 0 || target >= classes) return;
      for (let c = 0; c < classes; c++) {
        const at = row * classes + c;
        result[at] = g[row] * (Math.exp(logits[at] - lse[row]) - (c === target ? 1 : 0));
      }
    });
    return [result];
  },
  kernel({ inputs, reads: [logits, targets, lse, dLoss], writes: [dLogits] }) {
    return { kind: 'crossEntropyGrad', ...rowsAndClasses(inputs), logits, targets, lse, dLoss, dLogits };
  },
};

function rowsAndClasses([logits, targets]: readonly Tensor[]): { rows: number; classes: number } {
  return { rows: targets.size, classes: logits.shape.at(-1)! };
}

/** -log softmax(logits [..., classes])[target] for i32 targets [...]: [...]; 0 where the target is not a class. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return applyAll(crossEntropyOp, [logits, targets], null)[0];
}
