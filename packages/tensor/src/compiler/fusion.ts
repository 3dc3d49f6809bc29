/** @file Decides which elementwise results are stored and which are computed inside the kernel that uses them. */
import type { GraphNode, Tensor } from '../graph/node.js';
import { binaryOp, selectOp, unaryOp } from '../ops/elementwise.js';
import { reduceOp } from '../ops/reduce.js';
import { constantValue } from './simplify.js';

export interface FusionPlan {
  /** Elementwise nodes that are computed inside their users. */
  inlined: ReadonlySet<GraphNode>;
  /** Elementwise nodes computed as the epilogue of a product (matrix product, convolution): node -> product. */
  epilogues: ReadonlyMap<GraphNode, GraphNode>;
  /** Those products: product -> node. They are computed where the elementwise node is. */
  deferred: ReadonlyMap<GraphNode, GraphNode>;
}

export function isElementwise(node: GraphNode): boolean {
  return node.op === unaryOp || node.op === binaryOp || node.op === selectOp;
}

/**
 * An elementwise node joins the kernel of its users if they all are in one kernel over the same elements (an
 * elementwise one or a reduction). A function of one stored tensor is recomputed by each user instead of being stored.
 */
export function planFusion(order: readonly GraphNode[], results: ReadonlySet<Tensor>, maxInputs: number): FusionPlan {
  const users = usersOf(order);
  const inlined = new Set<GraphNode>();
  /** The node whose kernel computes an inlined node, or a unique token where several do. */
  const kernelOf = new Map<GraphNode, unknown>();
  for (const node of [...order].reverse()) {
    if (!isElementwise(node)) continue;
    const by = users.get(node) ?? [];
    const kernels = new Set(by.map((user) => (isElementwise(user) ? (kernelOf.get(user) ?? user) : user)));
    const fusable =
      by.length > 0 && !results.has(node.outputs[0]) && by.every((user) => isElementwise(user) || user.op === reduceOp);
    if (fusable && kernels.size === 1) {
      inlined.add(node);
      kernelOf.set(node, [...kernels][0]);
    } else if (fusable && node.op === unaryOp && !isElementwise(node.inputs[0].node)) {
      inlined.add(node);
      kernelOf.set(node, Symbol('recomputed'));
    }
  }
  for (const node of [...order].reverse()) {
    if ((isElementwise(node) && !inlined.has(node)) || node.op === reduceOp) limitInputs(node, inlined, maxInputs);
  }
  const epilogues = planEpilogues(order, users, inlined, results);
  const deferred = new Map([...epilogues].map(([node, product]) => [product, node]));
  return { inlined, epilogues, deferred };
}

function usersOf(order: readonly GraphNode[]): Map<GraphNode, GraphNode[]> {
  const users = new Map<GraphNode, GraphNode[]>();
  for (const node of order) {
    for (const input of new Set(node.inputs.map((tensor) => tensor.node))) {
      const list = users.get(input);
      if (list) list.push(node);
      else users.set(input, [node]);
    }
  }
  return users;
}

/** The stored tensors that a kernel rooted at `node` reads. Known constants are not read. */
export function leavesOf(node: GraphNode, inlined: ReadonlySet<GraphNode>, leaves = new Set<Tensor>()): Set<Tensor> {
  for (const input of node.inputs) {
    if (inlined.has(input.node)) leavesOf(input.node, inlined, leaves);
    else if (constantValue(input) === undefined) leaves.add(input);
  }
  return leaves;
}

/** Stores inlined operands, widest first, until the kernel reads no more than `maxInputs` tensors. */
function limitInputs(root: GraphNode, inlined: Set<GraphNode>, maxInputs: number): void {
  while (leavesOf(root, inlined).size > maxInputs) {
    const members = inlinedMembers(root, inlined);
    const widths = members.map((member) => ({ member, width: leavesOf(member, inlined).size }));
    const candidates = widths.filter(({ width }) => width > 1 && width <= maxInputs);
    candidates.sort((a, b) => b.width - a.width);
    inlined.delete((candidates[0] ?? widths[0]).member);
  }
}

function inlinedMembers(root: GraphNode, inlined: ReadonlySet<GraphNode>, found = new Set<GraphNode>()): GraphNode[] {
  for (const { node } of root.inputs) {
    if (!inlined.has(node) || found.has(node)) continue;
    found.add(node);
    inlinedMembers(node, inlined, found);
  }
  return [...found];
}

/** A product whose only users are inside one elementwise kernel is computed by that kernel. One product per kernel. */
function planEpilogues(
  order: readonly GraphNode[],
  users: Map<GraphNode, GraphNode[]>,
  inlined: ReadonlySet<GraphNode>,
  results: ReadonlySet<Tensor>,
): Map<GraphNode, GraphNode> {
  const epilogues = new Map<GraphNode, GraphNode>();
  for (const root of order) {
    if (!isElementwise(root) || inlined.has(root)) continue;
    const members = new Set([root, ...inlinedMembers(root, inlined)]);
    for (const leaf of leavesOf(root, inlined)) {
      const only = users.get(leaf.node)?.every((user) => members.has(user) && usedOnlyIn(user, members, users, root));
      if (leaf.node.op.product && only && !results.has(leaf)) {
        epilogues.set(root, leaf.node);
        break;
      }
    }
  }
  return epilogues;
}

/** Whether a member of a kernel is not also recomputed in another one. */
function usedOnlyIn(
  member: GraphNode,
  members: Set<GraphNode>,
  users: Map<GraphNode, GraphNode[]>,
  root: GraphNode,
): boolean {
  return member === root || (users.get(member) ?? []).every((user) => members.has(user));
}
