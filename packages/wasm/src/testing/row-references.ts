/** @file Row-wise kernels in f64, straight from their definitions in @transfusion/tensor. */

/** Calls `visit` with each row of `columns` elements and its first position. */
function eachRow(x: ArrayLike<number>, columns: number, visit: (row: number[], at: number) => void): void {
  const values = Array.from(x);
  for (let at = 0; at < values.length; at += columns) visit(values.slice(at, at + columns), at);
}

export function logSumExp(row: number[]): number {
  const max = row.reduce((a, b) => Math.max(a, b));
  return max + Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0));
}

export function softmaxReference(x: ArrayLike<number>, columns: number, log: boolean): Float64Array {
  const y = new Float64Array(x.length);
  eachRow(x, columns, (row, at) => {
    const max = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, value) => total + Math.exp(value - max), 0);
    row.forEach((value, i) => {
      y[at + i] = log ? value - max - Math.log(sum) : Math.exp(value - max) / sum;
    });
  });
  return y;
}

export function rmsNormReference(x: ArrayLike<number>, weight: ArrayLike<number>, epsilon: number) {
  const columns = weight.length;
  const output = new Float64Array(x.length);
  const rstd = new Float64Array(x.length / columns);
  eachRow(x, columns, (row, at) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / columns + epsilon);
    rstd[at / columns] = scale;
    row.forEach((value, i) => {
      output[at + i] = value * scale * weight[i];
    });
  });
  return { output, rstd };
}

export function crossEntropyReference(logits: ArrayLike<number>, targets: Int32Array, classes: number) {
  const loss = new Float64Array(targets.length);
  const lse = new Float64Array(targets.length);
  eachRow(logits, classes, (row, at) => {
    const target = targets[at / classes];
    lse[at / classes] = logSumExp(row);
    if (target >= 0 && target < classes) loss[at / classes] = lse[at / classes] - row[target];
  });
  return { loss, lse };
}
