/** @file From a simplified graph to kernels over buffers. */

import type { GraphNode, Tensor } from '../graph/node.js';
import { stridesOf } from '../graph/shape.js';
import { concatOp, padOp } from '../ops/movement.js';
import { reduceOp } from '../ops/reduce.js';
import type { Epilogue, Expression, Instruction, Kernel, View } from '../program/kernels/index.js';
import { topologicalOrder } from '../reference/evaluate.js';
import { type FusionPlan, isElementwise, leavesOf, planFusion } from './fusion.js';
import { storeHalves } from './precision.js';
import { checkRank, ProgramBuilder, type VirtualBuffer } from './program-builder.js';
import type { Unit, Version } from './schedule.js';
import { constantValue } from './simplify.js';
import { collapse, contiguousLayout, isContiguous, reshapeStrides, sameLayout } from './views.js';

/** The new value of a state. */
export interface StateUpdate {
  state: Tensor;
  value: Tensor;
}

export interface Lowered {
  buffers: VirtualBuffer[];
  units: Unit[];
  outputs: number[];
}

export interface LowerOptions {
  outputs: readonly Tensor[];
  updates: readonly StateUpdate[];
  /** States (by index) that must be updated through a copy. */
  copiedStates: ReadonlySet<number>;
  maxInputs: number;
  /** Whether products read f16 and scratch memory holds f16 where that suffices. */
  f16: boolean;
}

export function lower(options: LowerOptions): Lowered {
  return new Lowering(options).run();
}

class Lowering {
  private readonly builder: ProgramBuilder;
  /** The state whose memory a tensor may be written to directly. */
  private readonly updatedState = new Map<Tensor, Tensor>();
  private readonly order: GraphNode[];
  private readonly plan: FusionPlan;

  constructor(private readonly options: LowerOptions) {
    const results = [...options.outputs, ...options.updates.map(({ value }) => value)];
    this.order = topologicalOrder(results);
    this.plan = planFusion(this.order, new Set(results), options.maxInputs);
    for (const { state, value } of options.updates) {
      if (!options.copiedStates.has(state.node.attributes.index)) this.updatedState.set(value, state);
    }
    this.builder = new ProgramBuilder(this.updatedState);
  }

  run(): Lowered {
    for (const node of this.order) this.lowerNode(node);
    for (const { state, value } of this.options.updates) this.writeBack(state, value);
    const outputs = this.options.outputs.map((output) => this.outputBuffer(output));
    if (this.options.f16) storeHalves(this.builder.buffers, this.builder.units, outputs);
    return { buffers: this.builder.buffers, units: this.builder.units, outputs };
  }

  private lowerNode(node: GraphNode): void {
    if (isElementwise(node)) {
      const isDone = this.plan.inlined.has(node) || this.builder.isLocated(node.outputs[0]);
      if (!isDone) this.lowerElementwise(node);
    } else if (node.op === reduceOp) this.lowerReduce(node);
    else if (node.op.product) {
      const root = this.plan.deferred.get(node);
      if (!root) this.lowerProduct(node);
      else if (this.updatesAtOnce(node, root)) this.lowerElementwise(root);
    } else if (node.op === concatOp) this.lowerConcat(node);
    else if (node.op === padOp) this.lowerPad(node);
    else if (node.op.inPlace) this.lowerInPlace(node);
    else if (node.op.kernel) this.lowerKernel(node);
    // Leaves and views are located when somebody asks for them.
  }

  /**
   * Whether a state that a product is added to can take it where the product stands. Then what the product reads, in training the
   * activations of a layer, is not kept until the end, where sums of gradients are brought up to date.
   */
  private updatesAtOnce(product: GraphNode, root: GraphNode): boolean {
    if (!this.updatedState.has(root.outputs[0])) return false;
    return [...leavesOf(root, this.plan.inlined)].every(({ node }) => node === product || node.id < product.id);
  }

  /** The expression that computes `root` with all that is inlined into it, and the tensors it loads, in order. */
  private expressionOf(root: Tensor, firstInput?: Tensor): { expression: Expression; leaves: Tensor[] } {
    const expression: Instruction[] = [];
    const leaves: Tensor[] = firstInput ? [firstInput] : [];
    const registers = new Map<Tensor | number | string, number>();
    const push = (instruction: Instruction) => expression.push(instruction) - 1;
    const register = (tensor: Tensor): number => {
      const value = constantValue(tensor);
      const key = Object.is(value, -0) ? '-0' : (value ?? tensor);
      const known = registers.get(key);
      if (known !== undefined) return known;
      let result: number;
      if (value !== undefined) result = push({ op: 'constant', value });
      else if (isElementwise(tensor.node) && !this.builder.isLocated(tensor)) {
        const operands = tensor.node.inputs.map(register);
        const { fn } = tensor.node.attributes ?? {};
        if (operands.length === 3)
          result = push({ op: 'select', condition: operands[0], a: operands[1], b: operands[2] });
        else if (operands.length === 2) result = push({ op: fn, a: operands[0], b: operands[1] });
        else result = push({ op: fn, a: operands[0] });
      } else {
        if (!leaves.includes(tensor)) leaves.push(tensor);
        result = push({ op: 'load', input: leaves.indexOf(tensor) });
      }
      registers.set(key, result);
      return result;
    };
    register(root);
    return { expression, leaves };
  }

  private lowerElementwise(node: GraphNode): void {
    const [tensor] = node.outputs;
    const product = this.plan.epilogues.get(node);
    if (product) {
      if (this.lowerProduct(product, tensor)) return;
      this.lowerProduct(product);
    }
    const { expression, leaves } = this.expressionOf(tensor);
    const sources = leaves.map((leaf) => this.builder.locate(leaf));
    const own = contiguousLayout(tensor.shape);
    const version = this.builder.resultVersion(tensor, (state) =>
      sources.some((source) => source.version === state && !sameLayout(tensor.shape, source, own)),
    );
    this.builder.emitElementwise(tensor.shape, sources, this.builder.setLocation(tensor, version), expression);
  }

  private lowerReduce(node: GraphNode): void {
    const [x] = node.inputs;
    const { fn, axes } = node.attributes as { fn: 'sum' | 'max'; axes: readonly number[] };
    const { expression, leaves } = this.expressionOf(x);
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const axisOrder = [...kept, ...axes];
    const sources = leaves.map((leaf) => this.builder.locate(leaf));
    const merged = collapse(
      axisOrder.map((axis) => x.shape[axis]),
      sources.map(({ strides }) => axisOrder.map((axis) => strides[axis])),
      kept.length,
    );
    checkRank(merged.shape);
    const [tensor] = node.outputs;
    const version = this.builder.resultVersion(tensor, (state) => sources.some((source) => source.version === state));
    this.builder.setLocation(tensor, version);
    // A backend always finds a reduced axis, be it of length 1.
    const reducesNothing = merged.boundary === merged.shape.length;
    const kernel: Kernel = {
      kind: 'reduce',
      shape: reducesNothing ? [...merged.shape, 1] : merged.shape,
      keptRank: merged.boundary,
      inputs: sources.map((source, i) => ({
        buffer: source.version.buffer,
        offset: source.offset,
        strides: reducesNothing ? [...merged.strides[i], 0] : merged.strides[i],
      })),
      expression,
      op: fn,
      output: version.buffer,
    };
    this.builder.emit(
      kernel,
      sources.map((source) => source.version),
      [version],
    );
  }

  /** Emits a product, with the elementwise kernel rooted at `root` as its epilogue; false if its views do not allow it. */
  private lowerProduct(node: GraphNode, root?: Tensor): boolean {
    const product = node.op.product!(node);
    const reads: Version[] = [];
    let epilogue: Epilogue | undefined;
    if (root) {
      const { expression, leaves } = this.expressionOf(root, node.outputs[0]);
      const views: View[] = [];
      for (const leaf of leaves.slice(1)) {
        const location = this.builder.locate(leaf);
        const strides = reshapeStrides(leaf.shape, location.strides, product.space);
        if (!strides) return false;
        views.push({ buffer: location.version.buffer, offset: location.offset, strides });
        reads.push(location.version);
      }
      epilogue = { views, expression };
    }
    const [left, right] = node.inputs.map((input) =>
      this.options.f16 ? this.builder.wholeHalf(input) : this.builder.whole(input),
    );
    reads.push(left, right);
    const target = root ?? node.outputs[0];
    const version = this.builder.resultVersion(target, (state) => reads.includes(state));
    this.builder.setLocation(target, version);
    this.builder.emit(product.kernel([left.buffer, right.buffer], version.buffer, epilogue), reads, [version]);
    return true;
  }

  private lowerConcat(node: GraphNode): void {
    const [tensor] = node.outputs;
    const { axis } = node.attributes as { axis: number };
    const strides = stridesOf(tensor.shape);
    const version = this.builder.arenaBuffer(tensor);
    let start = 0;
    for (const input of node.inputs) {
      this.builder.copy(input, version, { offset: start * strides[axis], strides });
      start += input.shape[axis];
    }
    this.builder.setLocation(tensor, version);
  }

  private lowerPad(node: GraphNode): void {
    const [tensor] = node.outputs;
    const before: number[] = node.attributes.before;
    const strides = stridesOf(tensor.shape);
    const zeros = this.builder.arenaBuffer(tensor);
    const own = contiguousLayout(tensor.shape);
    this.builder.emitElementwise(tensor.shape, [], { version: zeros, ...own }, [{ op: 'constant', value: 0 }]);
    const padded: Version = { buffer: zeros.buffer, writers: [], readers: [] };
    const offset = before.reduce((sum, n, axis) => sum + n * strides[axis], 0);
    this.builder.copy(node.inputs[0], padded, { offset, strides }, [zeros]);
    this.builder.setLocation(tensor, padded);
  }

  private lowerKernel(node: GraphNode): void {
    const reads = node.inputs.map((input) => this.builder.whole(input));
    const writes = node.outputs.map((output) => this.builder.resultVersion(output, (state) => reads.includes(state)));
    node.outputs.forEach((output, i) => this.builder.setLocation(output, writes[i]));
    this.builder.emit(kernelOf(node, reads, writes), reads, writes);
  }

  /** The kernel overwrites some of its operands. State that this updates is used directly, else a copy. */
  private lowerInPlace(node: GraphNode): void {
    const operands = node.inputs;
    const replaced = node.op.inPlace!;
    const reads: Version[] = [];
    const updatesInPlace = (i: number) => {
      const state = this.updatedState.get(node.outputs[replaced.indexOf(i)]);
      return state !== undefined && state === operands[i];
    };
    const overwritten = new Set(replaced.filter(updatesInPlace).map((i) => this.builder.locate(operands[i]).version));
    const versions = operands.map((operand, i) => {
      if (!replaced.includes(i)) {
        const whole = this.builder.whole(operand);
        // The kernel may not read what it overwrites.
        const version = overwritten.has(whole) ? this.builder.copy(operand, this.builder.arenaBuffer(operand)) : whole;
        reads.push(version);
        return version;
      }
      if (updatesInPlace(i)) {
        reads.push(this.builder.locate(operand).version);
        return this.builder.newStateVersion(operand);
      }
      const before = this.builder.copy(operand, this.builder.arenaBuffer(operand));
      reads.push(before);
      return { buffer: before.buffer, writers: [], readers: [] } satisfies Version;
    });
    node.outputs.forEach((output, i) => this.builder.setLocation(output, versions[replaced[i]]));
    const writes = replaced.map((i) => versions[i]);
    this.builder.emit(kernelOf(node, versions, writes), reads, writes);
  }

  private writeBack(state: Tensor, value: Tensor): void {
    if (value === state) return;
    const target = this.builder.locate(state).version;
    const source = constantValue(value) === undefined ? this.builder.locate(value).version : undefined;
    if (source?.buffer === target.buffer && source.overwrites) return;
    // A rearrangement of the state itself cannot be written over it, nor can one that conflicts: both go through a copy.
    const isOwnView = source?.buffer === target.buffer;
    const isCopied = this.options.copiedStates.has(state.node.attributes.index);
    const isState = source && this.builder.buffers[source.buffer].storage.kind === 'state';
    if (!isOwnView && !(isCopied && isState)) {
      this.builder.copy(value, this.builder.newStateVersion(state));
      return;
    }
    const own = contiguousLayout(value.shape);
    const copy = { version: this.builder.copy(value, this.builder.arenaBuffer(value)), ...own };
    this.builder.emitElementwise(value.shape, [copy], { version: this.builder.newStateVersion(state), ...own }, [
      { op: 'load', input: 0 },
    ]);
  }

  /** Outputs are read after the run, so they may not lie in memory that an update overwrites. */
  private outputBuffer(tensor: Tensor): number {
    const location = this.builder.locate(tensor);
    const { storage, elements } = this.builder.buffers[location.version.buffer];
    const isOwn = storage.kind === 'arena' || location.version.overwrites !== undefined;
    if (isOwn && elements === tensor.size && isContiguous(tensor.shape, location)) return location.version.buffer;
    return this.builder.copy(tensor, this.builder.arenaBuffer(tensor)).buffer;
  }
}

function kernelOf(node: GraphNode, reads: readonly Version[], writes: readonly Version[]): Kernel {
  const { op, inputs, outputs, attributes } = node;
  const buffersOf = (versions: readonly Version[]) => versions.map(({ buffer }) => buffer);
  return op.kernel!({ inputs, outputs, attributes, reads: buffersOf(reads), writes: buffersOf(writes) });
}
