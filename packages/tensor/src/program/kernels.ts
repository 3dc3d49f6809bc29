/**
 * @file Every kernel a backend implements. A kernel's operands are whole contiguous buffers (numbers are positions in
 * `Program.buffers`), except in elementwise and reduce kernels and in epilogues, whose operands are strided views.
 *
 * Outputs never overlap inputs, except where a kernel is described as working in place and where an elementwise
 * kernel's output view is exactly one of its input views (same buffer, offset and strides): then each element is read
 * before it is written.
 *
 * Index tensors hold untrusted numbers: an index out of range never reads or writes outside its operand.
 */

/** A strided view of a buffer, over the iteration space of the kernel that uses it. Units: elements. */
export interface View {
  buffer: number;
  offset: number;
  /** One stride for each axis of the iteration space; 0 repeats (broadcast); never negative. */
  strides: number[];
}

export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'sigmoid'
  | 'floor'
  | 'reciprocal'
  /** i32 -> f32, and f32 -> i32 towards zero. */
  | 'toFloat'
  | 'toInt';
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'max'
  | 'min'
  | 'pow'
  /** 1.0 where true, 0.0 where false (NaN compares false, except in notEqual). */
  | 'less'
  | 'lessEqual'
  | 'equal'
  | 'notEqual';

/**
 * One step of an `Expression`. Its result is register `n`, `n` being its position in the list; operands name earlier
 * registers. All arithmetic is f32; i32 registers can only be loaded, selected, converted and stored.
 */
export type Instruction =
  | { op: 'load'; input: number }
  | { op: 'constant'; value: number }
  | { op: UnaryOp; a: number }
  | { op: BinaryOp; a: number; b: number }
  /** `condition` is an f32 register: a where it is not zero, else b. */
  | { op: 'select'; condition: number; a: number; b: number };

/** A straight-line program evaluated for every element of an iteration space; the last register is the result. */
export type Expression = Instruction[];

/** output[i] = expression(inputs[i]) for every i in `shape`. */
export interface ElementwiseKernel {
  kind: 'elementwise';
  /** Iteration space: 1 to 6 axes, adjacent axes already merged where every view allows it. */
  shape: number[];
  inputs: View[];
  output: View;
  expression: Expression;
}

/**
 * output[kept] = sum or max over the reduced axes of expression(inputs[kept, reduced]).
 * The first `keptRank` axes of `shape` are kept; output is contiguous over them (one element if keptRank is 0).
 * The order of summation depends on the shape only. Sum in chunks or pairwise: plain f32 running sums drift.
 */
export interface ReduceKernel {
  kind: 'reduce';
  shape: number[];
  keptRank: number;
  inputs: View[];
  expression: Expression;
  op: 'sum' | 'max';
  output: number;
}

/** A matrix operand: rows x columns as stored; `transpose` uses its transpose in the product. */
export interface MatrixOperand {
  buffer: number;
  transpose: boolean;
  /** Elements between consecutive matrices of the batch; 0 uses one matrix for all. */
  batchStride: number;
}

/** Computed on each value of a product before it is stored: input 0 is that value (f32), inputs 1.. are `views` 0... */
export interface Epilogue {
  views: View[];
  expression: Expression;
}

/**
 * output[b] = epilogue(op(a[b]) @ op(b[b])), op(a) is [m, k], op(b) is [k, n], output [batch, m, n] contiguous.
 * The epilogue's iteration space is [batch, m, n]; absent means the plain product.
 */
export interface MatmulKernel {
  kind: 'matmul';
  batch: number;
  m: number;
  n: number;
  k: number;
  a: MatrixOperand;
  b: MatrixOperand;
  output: number;
  epilogue?: Epilogue;
}

/**
 * The sizes of a convolution of images [batch, height, width, channels] with filters
 * [kernelHeight, kernelWidth, channels, outputChannels] into [batch, outputHeight, outputWidth, outputChannels].
 * Output (y, x) reads input row y strideY - padTop + i for every filter row i, and columns likewise; what lies outside
 * the image is zero. (Padding below and to the right follows from the output's size.)
 */
export interface Conv2dShape {
  batch: number;
  height: number;
  width: number;
  channels: number;
  outputHeight: number;
  outputWidth: number;
  outputChannels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideY: number;
  strideX: number;
  padTop: number;
  padLeft: number;
}

/** output = epilogue(convolution of x with weight); iteration space [1, batch outputHeight outputWidth, outputChannels]. */
export interface Conv2dKernel extends Conv2dShape {
  kind: 'conv2d';
  x: number;
  weight: number;
  output: number;
  epilogue?: Epilogue;
}

/** dx[b, y, x, c] = sum of dOutput[b, y', x', o] weight[i, j, c, o] over all outputs and taps that read (y, x). */
export interface Conv2dInputGradKernel extends Conv2dShape {
  kind: 'conv2dInputGrad';
  dOutput: number;
  weight: number;
  dx: number;
}

/** dWeight[i, j, c, o] = sum over b, y, x of dOutput[b, y, x, o] times the input that tap (i, j) reads there. */
export interface Conv2dWeightGradKernel extends Conv2dShape {
  kind: 'conv2dWeightGrad';
  x: number;
  dOutput: number;
  dWeight: number;
}

/** output[i] = table[indices[i]], rows of `width` elements; zeros where the index is outside [0, tableRows). */
export interface GatherKernel {
  kind: 'gather';
  table: number;
  indices: number;
  output: number;
  rows: number;
  tableRows: number;
  width: number;
}

/**
 * output[r] = sum of updates[i] over all i with indices[i] == r, in increasing i; rows nobody names are zero.
 * Indices outside [0, tableRows) are skipped. Deterministic.
 */
export interface ScatterAddKernel {
  kind: 'scatterAdd';
  updates: number;
  indices: number;
  output: number;
  rows: number;
  tableRows: number;
  width: number;
}

/** In place: target[indices[i]] = values[i]; indices outside [0, tableRows) are skipped, and must not repeat. */
export interface WriteRowsKernel {
  kind: 'writeRows';
  target: number;
  indices: number;
  values: number;
  rows: number;
  tableRows: number;
  width: number;
}

/** Over the last axis of [rows, columns]: softmax, or its logarithm. */
export interface SoftmaxKernel {
  kind: 'softmax';
  log: boolean;
  rows: number;
  columns: number;
  input: number;
  output: number;
}

/** y: the forward output. softmax: dx = y (dy - sum(dy y)); log: dx = dy - exp(y) sum(dy). */
export interface SoftmaxGradKernel {
  kind: 'softmaxGrad';
  log: boolean;
  rows: number;
  columns: number;
  y: number;
  dy: number;
  dx: number;
}

/** rstd = 1 / sqrt(mean(x^2) + epsilon) per row; output = x * rstd * weight. x, output [rows, columns]; rstd [rows]. */
export interface RmsNormKernel {
  kind: 'rmsNorm';
  rows: number;
  columns: number;
  epsilon: number;
  x: number;
  weight: number;
  output: number;
  rstd: number;
}

/** dx = rstd * (dy w - x rstd^2 mean(dy w x)). (The weight's gradient is a reduce kernel.) */
export interface RmsNormGradKernel {
  kind: 'rmsNormGrad';
  rows: number;
  columns: number;
  x: number;
  weight: number;
  rstd: number;
  dy: number;
  dx: number;
}

/** The sizes of a group norm: `groups` divides `channels`; a group's mean is over all positions of its channels. */
export interface GroupNormShape {
  batch: number;
  positions: number;
  channels: number;
  groups: number;
}

/**
 * x, output [batch, positions, channels]; weight, bias [channels]; mean, rstd [batch, groups], over a group's elements:
 * rstd = 1 / sqrt(mean((x - mean)^2) + epsilon), output = (x - mean) rstd weight + bias.
 * One position and one group is a layer norm of `batch` rows.
 */
export interface GroupNormKernel extends GroupNormShape {
  kind: 'groupNorm';
  epsilon: number;
  x: number;
  weight: number;
  bias: number;
  output: number;
  mean: number;
  rstd: number;
}

/**
 * With h = (x - mean) rstd and means over a group's elements: dx = rstd (dy w - mean(dy w) - h mean(dy w h)).
 * (The gradients of weight and bias are reduce kernels.)
 */
export interface GroupNormGradKernel extends GroupNormShape {
  kind: 'groupNormGrad';
  x: number;
  weight: number;
  mean: number;
  rstd: number;
  dy: number;
  dx: number;
}

/**
 * Rotary embedding of x [rows, heads, headDim], by cos and sin [tableRows, headDim / 2] at row positions[row].
 * Pairs are (2i, 2i + 1) if `interleaved` (Llama), else (i, i + headDim / 2) (Hugging Face).
 * (a, b) -> (a cos - b sin, a sin + b cos); `inverse` rotates back (sin negated): that is also the gradient.
 * A position out of range leaves its row unrotated.
 */
export interface RopeKernel {
  kind: 'rope';
  rows: number;
  heads: number;
  headDim: number;
  tableRows: number;
  interleaved: boolean;
  inverse: boolean;
  x: number;
  positions: number;
  cos: number;
  sin: number;
  output: number;
}

/** The sizes of an attention. heads is a multiple of kvHeads; query head h reads key/value head floor(h / (heads / kvHeads)). */
export interface AttentionShape {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Multiplies q . k, usually 1 / sqrt(headDim). */
  scale: number;
}

/**
 * Fused attention with an interval of keys per query. Layouts: q, output [batch, queries, heads, headDim];
 * k, v [batch, keys, kvHeads, headDim]; begin, end i32 [batch, queries]: query i sees keys begin <= j < end, clamped to
 * [0, keys]. lse [batch, queries, heads] = log sum exp of the scaled scores. An empty interval gives output 0, lse 0.
 */
export interface AttentionKernel extends AttentionShape {
  kind: 'attention';
  q: number;
  k: number;
  v: number;
  begin: number;
  end: number;
  output: number;
  lse: number;
}

/** delta [batch, queries, heads] = sum over headDim of dOutput * output. Gradients have the layouts of q, k, v. */
export interface AttentionGradKernel extends AttentionShape {
  kind: 'attentionGrad';
  q: number;
  k: number;
  v: number;
  begin: number;
  end: number;
  lse: number;
  delta: number;
  dOutput: number;
  dq: number;
  dk: number;
  dv: number;
}

/** logits [rows, classes], targets i32 [rows]: loss = lse - logits[target]; 0 where the target is outside [0, classes). lse [rows] is always written. */
export interface CrossEntropyKernel {
  kind: 'crossEntropy';
  rows: number;
  classes: number;
  logits: number;
  targets: number;
  loss: number;
  lse: number;
}

/** dLogits = dLoss (exp(logits - lse) - onehot(target)); 0 for ignored rows. dLoss [rows]. */
export interface CrossEntropyGradKernel {
  kind: 'crossEntropyGrad';
  rows: number;
  classes: number;
  logits: number;
  targets: number;
  lse: number;
  dLoss: number;
  dLogits: number;
}

/**
 * AdamW with decoupled weight decay, in place on parameter, m and v. With g = gradient * gradientScale[0]:
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * parameter = parameter - lr decay parameter - lr (m / bias1) / (sqrt(v / bias2) + epsilon)
 * hyper: f32 [lr, bias1, bias2] with bias_i = 1 - beta_i^step. A gradientScale of 0 leaves all three as they are, even if
 * the gradient is not finite.
 */
export interface AdamWKernel {
  kind: 'adamw';
  elements: number;
  parameter: number;
  gradient: number;
  m: number;
  v: number;
  hyper: number;
  gradientScale: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/**
 * Philox 4x32-10 (Salmon et al. 2011). seed: i32 [4], its bits read as u32 [key0, key1, counter2, counter3]. Elements
 * 4j .. 4j + 3 come from the block with key (key0, key1) and counter (j, stream, counter2, counter3), words in order.
 * uniform: (word >> 8) * 2^-24, in [0, 1). normal: Box-Muller on the word pairs (0, 1) and (2, 3) of the block, with
 * u1 = ((w0 >> 8) + 1) * 2^-24, u2 = (w1 >> 8) * 2^-24, r = sqrt(-2 ln u1): r cos(2 pi u2), r sin(2 pi u2).
 */
export interface RandomKernel {
  kind: 'random';
  distribution: 'uniform' | 'normal';
  elements: number;
  stream: number;
  seed: number;
  output: number;
}

export type Kernel =
  | ElementwiseKernel
  | ReduceKernel
  | MatmulKernel
  | Conv2dKernel
  | Conv2dInputGradKernel
  | Conv2dWeightGradKernel
  | GatherKernel
  | ScatterAddKernel
  | WriteRowsKernel
  | SoftmaxKernel
  | SoftmaxGradKernel
  | RmsNormKernel
  | RmsNormGradKernel
  | GroupNormKernel
  | GroupNormGradKernel
  | RopeKernel
  | AttentionKernel
  | AttentionGradKernel
  | CrossEntropyKernel
  | CrossEntropyGradKernel
  | AdamWKernel
  | RandomKernel;

export type KernelKind = Kernel['kind'];
