/** @file From operations to kernels, for every operation that has a kernel of its own. */
import type { GraphNode } from '../graph/node.js';
import { sizeOf } from '../graph/shape.js';
import { attentionShape } from '../ops/attention.js';
import { conv2dShape } from '../ops/conv2d.js';
import { groupNormShape } from '../ops/group-norm.js';
import { rowWidth } from '../ops/rows.js';
import type { Kernel } from '../program/kernels.js';

/** Buffers of a node's operands and results; an operand is asked for only if the kernel reads it. */
export interface KernelCall {
  node: GraphNode;
  input(index: number): number;
  output(index: number): number;
}

type KernelBuilder = (call: KernelCall) => Kernel;

/** Rows and columns of a tensor seen as a matrix of its last axis. */
function matrixOf({ node }: KernelCall): { rows: number; columns: number } {
  const { shape, size } = node.inputs[0];
  const columns = shape.at(-1) ?? 1;
  return { rows: size / columns, columns };
}

/** By operation name. In-place kernels (adamw, writeRows) and products are built by the lowering itself. */
export const kernelBuilders: Readonly<Record<string, KernelBuilder>> = {
  gather: ({ node, input, output }) => ({
    kind: 'gather',
    table: input(0),
    indices: input(1),
    output: output(0),
    rows: node.inputs[1].size,
    tableRows: node.inputs[0].shape[0],
    width: rowWidth(node.inputs[0]),
  }),
  scatterAdd: ({ node, input, output }) => ({
    kind: 'scatterAdd',
    updates: input(0),
    indices: input(1),
    output: output(0),
    rows: node.inputs[1].size,
    tableRows: node.attributes.rows,
    width: sizeOf(node.types[0].shape.slice(1)),
  }),
  softmax: (call) => ({
    kind: 'softmax',
    log: call.node.attributes.log,
    ...matrixOf(call),
    input: call.input(0),
    output: call.output(0),
  }),
  softmaxGrad: (call) => ({
    kind: 'softmaxGrad',
    log: call.node.attributes.log,
    ...matrixOf(call),
    y: call.input(0),
    dy: call.input(1),
    dx: call.output(0),
  }),
  rmsNorm: (call) => ({
    kind: 'rmsNorm',
    ...matrixOf(call),
    epsilon: call.node.attributes.epsilon,
    x: call.input(0),
    weight: call.input(1),
    output: call.output(0),
    rstd: call.output(1),
  }),
  rmsNormGrad: (call) => ({
    kind: 'rmsNormGrad',
    ...matrixOf(call),
    x: call.input(0),
    weight: call.input(1),
    rstd: call.input(2),
    dy: call.input(3),
    dx: call.output(0),
  }),
  groupNorm: ({ node, input, output }) => ({
    kind: 'groupNorm',
    ...groupNormShape(node.inputs[0], node.attributes.groups),
    epsilon: node.attributes.epsilon,
    x: input(0),
    weight: input(1),
    bias: input(2),
    output: output(0),
    mean: output(1),
    rstd: output(2),
  }),
  groupNormGrad: ({ node, input, output }) => ({
    kind: 'groupNormGrad',
    ...groupNormShape(node.inputs[0], node.attributes.groups),
    x: input(0),
    weight: input(1),
    mean: input(2),
    rstd: input(3),
    dy: input(4),
    dx: output(0),
  }),
  conv2dInputGrad: ({ node, input, output }) => ({
    kind: 'conv2dInputGrad',
    ...conv2dShape(node.outputs[0], node.inputs[1], node.attributes),
    dOutput: input(0),
    weight: input(1),
    dx: output(0),
  }),
  conv2dWeightGrad: ({ node, input, output }) => ({
    kind: 'conv2dWeightGrad',
    ...conv2dShape(node.inputs[0], node.outputs[0], node.attributes),
    x: input(0),
    dOutput: input(1),
    dWeight: output(0),
  }),
  rope: ({ node, input, output }) => ({
    kind: 'rope',
    rows: node.inputs[1].size,
    heads: node.inputs[0].shape.at(-2)!,
    headDim: node.inputs[0].shape.at(-1)!,
    tableRows: node.inputs[2].shape[0],
    interleaved: node.attributes.interleaved,
    inverse: node.attributes.inverse,
    x: input(0),
    positions: input(1),
    cos: input(2),
    sin: input(3),
    output: output(0),
  }),
  attention: ({ node, input, output }) => ({
    kind: 'attention',
    ...attentionShape(node.inputs[0], node.inputs[1], node.attributes.scale),
    q: input(0),
    k: input(1),
    v: input(2),
    begin: input(3),
    end: input(4),
    output: output(0),
    lse: output(1),
  }),
  attentionGrad: ({ node, input, output }) => ({
    kind: 'attentionGrad',
    ...attentionShape(node.inputs[0], node.inputs[1], node.attributes.scale),
    q: input(0),
    k: input(1),
    v: input(2),
    begin: input(3),
    end: input(4),
    lse: input(5),
    delta: input(6),
    dOutput: input(7),
    dq: output(0),
    dk: output(1),
    dv: output(2),
  }),
  crossEntropy: ({ node, input, output }) => ({
    kind: 'crossEntropy',
    rows: node.inputs[1].size,
    classes: node.inputs[0].shape.at(-1)!,
    logits: input(0),
    targets: input(1),
    loss: output(0),
    lse: output(1),
  }),
  crossEntropyGrad: ({ node, input, output }) => ({
    kind: 'crossEntropyGrad',
    rows: node.inputs[1].size,
    classes: node.inputs[0].shape.at(-1)!,
    logits: input(0),
    targets: input(1),
    lse: input(2),
    dLoss: input(3),
    dLogits: output(0),
  }),
  random: ({ node, input, output }) => ({
    kind: 'random',
    distribution: node.attributes.distribution,
    elements: sizeOf(node.types[0].shape),
    stream: node.attributes.stream,
    seed: input(0),
    output: output(0),
  }),
};
