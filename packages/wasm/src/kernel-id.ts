/**
 * @file The numbers of the wasm kernels. The AssemblyScript dispatcher imports this file too, so that there is one
 * list. A kernel `fooBar` is the function `fooBar` of `assembly/foo-bar.ts`.
 */
export enum KernelId {
  elementwise = 1,
  reduceRows,
  reduceColumns,
  matmulPack,
  matmul,
  matmulRows,
  matmulDots,
  matmulCombine,
  conv2dPad,
  conv2d,
  conv2dWeightGrad,
  gather,
  scatterAdd,
  writeRows,
  softmax,
  softmaxGrad,
  rmsNorm,
  rmsNormGrad,
  rope,
  attention,
  attentionGrad,
  attentionGradCombine,
  crossEntropy,
  crossEntropyGrad,
  adamw,
  random,
}
