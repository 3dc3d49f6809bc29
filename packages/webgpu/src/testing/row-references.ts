/** @file Plain f64 references of the kernels that move, normalise or reduce rows. Shapes as in the kernels' own files. */
import type {
  CrossEntropyKernel,
  GatherKernel,
  RmsNormKernel,
  RopeKernel,
  ScatterAddKernel,
  SoftmaxKernel,
  WriteRowsKernel,
} from '@transfusion/tensor';

type Numbers = ArrayLike<number>;

const inside = (index: number, length: number): boolean => index >= 0 && index < length;

export function gatherReference(kernel: GatherKernel, table: Numbers, indices: Numbers): Float64Array {
  const { rows, tableRows, width } = kernel;
  return Float64Array.from({ length: rows * width }, (_, i) => {
    const row = indices[Math.floor(i / width)]!;
    return inside(row, tableRows) ? table[row * width + (i % width)]! : 0;
  });
}

export function scatterAddReference(kernel: ScatterAddKernel, updates: Numbers, indices: Numbers): Float64Array {
  const { rows, tableRows, width } = kernel;
  const output = new Float64Array(tableRows * width);
  for (let i = 0; i < rows; i++) {
    if (!inside(indices[i]!, tableRows)) continue;
    for (let c = 0; c < width; c++) output[indices[i]! * width + c]! += updates[i * width + c]!;
  }
  return output;
}

export function writeRowsReference(
  kernel: WriteRowsKernel,
  target: Numbers,
  indices: Numbers,
  values: Numbers,
): Float64Array {
  const { rows, tableRows, width } = kernel;
  const output = Float64Array.from(target);
  for (let i = 0; i < rows; i++) {
    if (!inside(indices[i]!, tableRows)) continue;
    for (let c = 0; c < width; c++) output[indices[i]! * width + c] = values[i * width + c]!;
  }
  return output;
}

/** The maximum of each row of [rows, columns], and the logarithm of its sum of exp(x - maximum). */
function maximaAndLogSums(x: Numbers, rows: number, columns: number): { maximum: number; logSum: number }[] {
  return Array.from({ length: rows }, (_, row) => {
    let maximum = -Infinity;
    for (let c = 0; c < columns; c++) maximum = Math.max(maximum, x[row * columns + c]!);
    let total = 0;
    for (let c = 0; c < columns; c++) total += Math.exp(x[row * columns + c]! - maximum);
    return { maximum, logSum: Math.log(total) };
  });
}

export function softmaxReference(kernel: Pick<SoftmaxKernel, 'rows' | 'columns' | 'log'>, x: Numbers): Float64Array {
  const { rows, columns, log } = kernel;
  const sums = maximaAndLogSums(x, rows, columns);
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const { maximum, logSum } = sums[Math.floor(i / columns)]!;
    // In this order: beside a huge maximum the logarithm would be lost.
    const value = x[i]! - maximum - logSum;
    return log ? value : Math.exp(value);
  });
}

export function rmsNormReference(
  kernel: Pick<RmsNormKernel, 'rows' | 'columns' | 'epsilon'>,
  x: Numbers,
  weight: Numbers,
): { output: Float64Array; rstd: Float64Array } {
  const { rows, columns, epsilon } = kernel;
  const rstd = Float64Array.from({ length: rows }, (_, row) => {
    let total = 0;
    for (let c = 0; c < columns; c++) total += x[row * columns + c]! ** 2;
    return 1 / Math.sqrt(total / columns + epsilon);
  });
  const output = Float64Array.from(
    { length: rows * columns },
    (_, i) => x[i]! * rstd[Math.floor(i / columns)]! * weight[i % columns]!,
  );
  return { output, rstd };
}

export function ropeReference(
  kernel: RopeKernel,
  x: Numbers,
  positions: Numbers,
  cos: Numbers,
  sin: Numbers,
): Float64Array {
  const { rows, heads, headDim, tableRows, interleaved, inverse } = kernel;
  const output = Float64Array.from(x);
  const pairs = headDim / 2;
  for (let row = 0; row < rows; row++) {
    const position = positions[row]!;
    if (!inside(position, tableRows)) continue;
    for (let head = 0; head < heads; head++) {
      for (let pair = 0; pair < pairs; pair++) {
        const base = (row * heads + head) * headDim;
        const first = base + (interleaved ? 2 * pair : pair);
        const second = base + (interleaved ? 2 * pair + 1 : pair + pairs);
        const c = cos[position * pairs + pair]!;
        const s = sin[position * pairs + pair]! * (inverse ? -1 : 1);
        output[first] = x[first]! * c - x[second]! * s;
        output[second] = x[first]! * s + x[second]! * c;
      }
    }
  }
  return output;
}

export function crossEntropyReference(
  kernel: Pick<CrossEntropyKernel, 'rows' | 'classes'>,
  logits: Numbers,
  targets: Numbers,
): { loss: Float64Array; lse: Float64Array } {
  const { rows, classes } = kernel;
  const lse = Float64Array.from(maximaAndLogSums(logits, rows, classes), ({ maximum, logSum }) => maximum + logSum);
  const loss = Float64Array.from({ length: rows }, (_, row) =>
    inside(targets[row]!, classes) ? lse[row]! - logits[row * classes + targets[row]!]! : 0,
  );
  return { loss, lse };
}
