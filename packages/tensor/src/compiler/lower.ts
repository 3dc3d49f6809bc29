/** @file From a simplified graph to kernels over buffers. */

import type { GraphNode } from '../graph/node.js';
import { shapeError, sizeOf, stridesOf } from '../graph/shape.js';
import { adamwOp } from '../ops/adamw.js';
import { constantOp, inputOp, stateOp } from '../ops/leaf.js';
import { matmulOp, matmulSizes } from '../ops/matmul.js';
import { broadcastOp, broadcastStrides, concatOp, padOp, permuteOp, reshapeOp, sliceOp } from '../ops/movement.js';
import { reduceOp } from '../ops/reduce.js';
import { writeRowsOp } from '../ops/rows.js';
import type { Expression, Instruction, Kernel, View } from '../program/kernels.js';
import type { BufferStorage, DType } from '../program/program.js';
import { topologicalOrder } from '../reference/evaluate.js';
import type { Tensor } from '../tensor.js';
import { type FusionPlan, isElementwise, planFusion } from './fusion.js';
import { type KernelCall, kernelBuilders } from './kernel-builders.js';
import type { Unit, Version } from './schedule.js';
import { constantValue } from './simplify.js';
import { collapse, contiguousLayout, isContiguous, type Layout, reshapeStrides, sameLayout } from './views.js';

/** A buffer before memory is planned: arena buffers have no place yet. */
export interface VirtualBuffer {
  dtype: DType;
  elements: number;
  storage: Exclude<BufferStorage, { kind: 'arena' }> | { kind: 'arena' };
  name: string;
}

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
}

interface Location extends Layout {
  version: Version;
}

export function lower(options: LowerOptions): Lowered {
  return new Lowering(options).run();
}

class Lowering {
  private readonly buffers: VirtualBuffer[] = [];
  private readonly units: Unit[] = [];
  private readonly locations = new Map<Tensor, Location>();
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
  }

  run(): Lowered {
    for (const node of this.order) this.lowerNode(node);
    for (const { state, value } of this.options.updates) this.writeBack(state, value);
    const outputs = this.options.outputs.map((output) => this.outputBuffer(output));
    return { buffers: this.buffers, units: this.units, outputs };
  }

  private lowerNode(node: GraphNode): void {
    if (isElementwise(node)) {
      if (!this.plan.inlined.has(node)) this.lowerElementwise(node);
    } else if (node.op === reduceOp) this.lowerReduce(node);
    else if (node.op === matmulOp) {
      if (!this.plan.deferred.has(node)) this.lowerMatmul(node);
    } else if (node.op === concatOp) this.lowerConcat(node);
    else if (node.op === padOp) this.lowerPad(node);
    else if (node.op === adamwOp || node.op === writeRowsOp) this.lowerInPlace(node);
    else if (kernelBuilders[node.op.name]) this.lowerKernel(node);
    // Leaves and views are located when somebody asks for them.
  }

  // Buffers and where tensors lie in them.

  private newBuffer(dtype: DType, elements: number, storage: VirtualBuffer['storage'], name: string): Version {
    this.buffers.push({ dtype, elements, storage, name });
    return { buffer: this.buffers.length - 1, writers: [], readers: [] };
  }

  private arenaBuffer(tensor: Tensor): Version {
    return this.newBuffer(tensor.dtype, tensor.size, { kind: 'arena' }, tensor.node.op.name);
  }

  /** The version that a kernel writes when it computes `tensor`: the state it updates, or memory of the program. */
  private resultVersion(tensor: Tensor, readsState?: (state: Version) => boolean): Version {
    const state = this.updatedState.get(tensor);
    if (state) {
      const old = this.locate(state).version;
      if (!readsState?.(old)) return this.newStateVersion(state);
    }
    return this.arenaBuffer(tensor);
  }

  private newStateVersion(state: Tensor): Version {
    const old = this.locate(state).version;
    return { buffer: old.buffer, writers: [], readers: [], overwrites: old, state: state.node.attributes.index };
  }

  private setLocation(tensor: Tensor, version: Version): Location {
    const location = { version, ...contiguousLayout(tensor.shape) };
    this.locations.set(tensor, location);
    return location;
  }

  private locate(tensor: Tensor): Location {
    const known = this.locations.get(tensor);
    if (known) return known;
    const { op, attributes, inputs } = tensor.node;
    if (op === inputOp || op === stateOp) {
      const kind = op === inputOp ? 'input' : 'state';
      const version = this.newBuffer(tensor.dtype, tensor.size, { kind, index: attributes.index }, attributes.name);
      return this.setLocation(tensor, version);
    }
    if (op === constantOp) {
      const data = typeof attributes.data === 'number' ? Float32Array.of(attributes.data) : attributes.data;
      return this.setLocation(
        tensor,
        this.newBuffer(tensor.dtype, tensor.size, { kind: 'constant', data }, 'constant'),
      );
    }
    const location = this.locateView(tensor, inputs[0]);
    this.locations.set(tensor, location);
    return location;
  }

  /** A movement operation's result as a view of its operand, copied first where strides cannot say it. */
  private locateView(tensor: Tensor, source: Tensor): Location {
    const { op, attributes } = tensor.node;
    const { version, offset, strides } = this.locate(source);
    if (op === permuteOp) return { version, offset, strides: attributes.axes.map((axis: number) => strides[axis]) };
    if (op === broadcastOp) return { version, offset, strides: broadcastStrides(source.shape, strides, tensor.shape) };
    if (op === sliceOp) {
      const begin: number[] = attributes.begin;
      return { version, offset: begin.reduce((sum, first, axis) => sum + first * strides[axis], offset), strides };
    }
    if (op === reshapeOp) {
      const reshaped = reshapeStrides(source.shape, strides, tensor.shape);
      if (reshaped) return { version, offset, strides: reshaped };
      const copy = this.copy(source, this.arenaBuffer(source));
      return { version: copy, ...contiguousLayout(tensor.shape) };
    }
    throw new Error(`no location for ${op.name}`);
  }

  /** The version of a buffer that holds exactly `tensor`, contiguous; copies it where it is a view. */
  private whole(tensor: Tensor): Version {
    const location = this.locate(tensor);
    const { elements } = this.buffers[location.version.buffer];
    if (elements === tensor.size && isContiguous(tensor.shape, location)) return location.version;
    const copy = this.copy(tensor, this.arenaBuffer(tensor));
    this.setLocation(tensor, copy);
    return copy;
  }

  // Emitting kernels.

  private emit(kernel: Kernel, reads: Version[], writes: Version[]): void {
    const unit: Unit = { kernel, reads: [...new Set(reads)], writes };
    for (const version of unit.reads) version.readers.push(unit);
    for (const version of writes) version.writers.push(unit);
    this.units.push(unit);
  }

  /** Copies a tensor to `target`, or to a part of it given by `layout`. */
  private copy(
    tensor: Tensor,
    target: Version,
    layout: Layout = contiguousLayout(tensor.shape),
    after: Version[] = [],
  ): Version {
    const value = constantValue(tensor);
    const sources = value === undefined ? [this.locate(tensor)] : [];
    const expression: Expression = value === undefined ? [{ op: 'load', input: 0 }] : [{ op: 'constant', value }];
    this.emitElementwise(tensor.shape, sources, { version: target, ...layout }, expression, after);
    return target;
  }

  private emitElementwise(
    shape: readonly number[],
    sources: Location[],
    target: Location,
    expression: Expression,
    after: Version[] = [],
  ): void {
    const merged = collapse(
      shape,
      [...sources, target].map(({ strides }) => strides),
    );
    const view = (location: Location, i: number): View => ({
      buffer: location.version.buffer,
      offset: location.offset,
      strides: merged.shape.length === 0 ? [0] : merged.strides[i],
    });
    checkRank(merged.shape);
    const kernel: Kernel = {
      kind: 'elementwise',
      shape: merged.shape.length === 0 ? [1] : merged.shape,
      inputs: sources.map(view),
      output: view(target, sources.length),
      expression,
    };
    this.emit(kernel, [...sources.map(({ version }) => version), ...after], [target.version]);
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
      else if (isElementwise(tensor.node) && !this.locations.has(tensor)) {
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
      if (this.lowerMatmul(product, tensor)) return;
      this.lowerMatmul(product);
    }
    const { expression, leaves } = this.expressionOf(tensor);
    const sources = leaves.map((leaf) => this.locate(leaf));
    const own = contiguousLayout(tensor.shape);
    const version = this.resultVersion(tensor, (state) =>
      sources.some((source) => source.version === state && !sameLayout(tensor.shape, source, own)),
    );
    this.emitElementwise(tensor.shape, sources, this.setLocation(tensor, version), expression);
  }

  private lowerReduce(node: GraphNode): void {
    const [x] = node.inputs;
    const { fn, axes } = node.attributes as { fn: 'sum' | 'max'; axes: readonly number[] };
    const { expression, leaves } = this.expressionOf(x);
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const axisOrder = [...kept, ...axes];
    const sources = leaves.map((leaf) => this.locate(leaf));
    const merged = collapse(
      axisOrder.map((axis) => x.shape[axis]),
      sources.map(({ strides }) => axisOrder.map((axis) => strides[axis])),
      kept.length,
    );
    checkRank(merged.shape);
    const [tensor] = node.outputs;
    const version = this.resultVersion(tensor, (state) => sources.some((source) => source.version === state));
    this.setLocation(tensor, version);
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
    this.emit(
      kernel,
      sources.map((source) => source.version),
      [version],
    );
  }

  /** Emits a product, with the elementwise kernel rooted at `root` as its epilogue; false if its views do not allow it. */
  private lowerMatmul(node: GraphNode, root?: Tensor): boolean {
    const [a, b] = node.inputs;
    const attributes = node.attributes as { transposeA: boolean; transposeB: boolean };
    const sizes = matmulSizes(a, b, attributes);
    const merges = sizes.sharedB && !attributes.transposeA;
    const batch = merges ? 1 : sizes.batch;
    const m = merges ? sizes.batch * sizes.m : sizes.m;
    const space = [batch, m, sizes.n];
    const target = root ?? node.outputs[0];
    const reads: Version[] = [];
    let epilogue: { views: View[]; expression: Expression } | undefined;
    if (root) {
      const { expression, leaves } = this.expressionOf(root, node.outputs[0]);
      const views: View[] = [];
      for (const leaf of leaves.slice(1)) {
        const location = this.locate(leaf);
        const strides = reshapeStrides(leaf.shape, location.strides, space);
        if (!strides) return false;
        views.push({ buffer: location.version.buffer, offset: location.offset, strides });
        reads.push(location.version);
      }
      epilogue = { views, expression };
    }
    const left = this.whole(a);
    const right = this.whole(b);
    reads.push(left, right);
    const version = this.resultVersion(target, (state) => reads.includes(state));
    this.setLocation(target, version);
    const kernel: Kernel = {
      kind: 'matmul',
      batch,
      m,
      n: sizes.n,
      k: sizes.k,
      a: { buffer: left.buffer, transpose: attributes.transposeA, batchStride: merges ? 0 : sizes.m * sizes.k },
      b: { buffer: right.buffer, transpose: attributes.transposeB, batchStride: sizes.sharedB ? 0 : sizes.k * sizes.n },
      output: version.buffer,
      ...(epilogue ? { epilogue } : {}),
    };
    this.emit(kernel, reads, [version]);
    return true;
  }

  private lowerConcat(node: GraphNode): void {
    const [tensor] = node.outputs;
    const { axis } = node.attributes as { axis: number };
    const strides = stridesOf(tensor.shape);
    const version = this.arenaBuffer(tensor);
    let start = 0;
    for (const input of node.inputs) {
      this.copy(input, version, { offset: start * strides[axis], strides });
      start += input.shape[axis];
    }
    this.setLocation(tensor, version);
  }

  private lowerPad(node: GraphNode): void {
    const [tensor] = node.outputs;
    const before: number[] = node.attributes.before;
    const strides = stridesOf(tensor.shape);
    const zeros = this.arenaBuffer(tensor);
    const own = contiguousLayout(tensor.shape);
    this.emitElementwise(tensor.shape, [], { version: zeros, ...own }, [{ op: 'constant', value: 0 }]);
    const padded: Version = { buffer: zeros.buffer, writers: [], readers: [] };
    const offset = before.reduce((sum, n, axis) => sum + n * strides[axis], 0);
    this.copy(node.inputs[0], padded, { offset, strides }, [zeros]);
    this.setLocation(tensor, padded);
  }

  private lowerKernel(node: GraphNode): void {
    const reads: Version[] = [];
    const operands = node.inputs.map((input) => this.whole(input));
    const writes = node.outputs.map((output) => this.resultVersion(output, (state) => operands.includes(state)));
    const call: KernelCall = {
      node,
      input: (index) => {
        reads.push(operands[index]);
        return operands[index].buffer;
      },
      output: (index) => writes[index].buffer,
    };
    const kernel = kernelBuilders[node.op.name](call);
    node.outputs.forEach((output, i) => this.setLocation(output, writes[i]));
    this.emit(kernel, reads, writes);
  }

  /** adamw and writeRows: the kernel overwrites its operands. State that this updates is used directly, else a copy. */
  private lowerInPlace(node: GraphNode): void {
    const operands = node.inputs;
    const replaced = node.op === adamwOp ? [0, 2, 3] : [0];
    const reads: Version[] = [];
    const updatesInPlace = (i: number) => {
      const state = this.updatedState.get(node.outputs[replaced.indexOf(i)]);
      return state !== undefined && state === operands[i];
    };
    const overwritten = new Set(replaced.filter(updatesInPlace).map((i) => this.locate(operands[i]).version));
    const versions = operands.map((operand, i) => {
      if (!replaced.includes(i)) {
        const whole = this.whole(operand);
        // The kernel may not read what it overwrites.
        const version = overwritten.has(whole) ? this.copy(operand, this.arenaBuffer(operand)) : whole;
        reads.push(version);
        return version;
      }
      if (updatesInPlace(i)) {
        reads.push(this.locate(operand).version);
        return this.newStateVersion(operand);
      }
      const before = this.copy(operand, this.arenaBuffer(operand));
      reads.push(before);
      return { buffer: before.buffer, writers: [], readers: [] } satisfies Version;
    });
    node.outputs.forEach((output, i) => this.setLocation(output, versions[replaced[i]]));
    const [target, second, third, fourth, fifth, sixth] = versions.map(({ buffer }) => buffer);
    const kernel: Kernel =
      node.op === adamwOp
        ? {
            kind: 'adamw',
            elements: operands[0].size,
            parameter: target,
            gradient: second,
            m: third,
            v: fourth,
            hyper: fifth,
            gradientScale: sixth,
            ...node.attributes,
          }
        : {
            kind: 'writeRows',
            target,
            indices: second,
            values: third,
            rows: operands[1].size,
            tableRows: operands[0].shape[0],
            width: sizeOf(operands[0].shape.slice(1)),
          };
    this.emit(
      kernel,
      reads,
      replaced.map((i) => versions[i]),
    );
  }

  // Ends.

  private writeBack(state: Tensor, value: Tensor): void {
    if (value === state) return;
    const target = this.locate(state).version;
    const source = constantValue(value) === undefined ? this.locate(value).version : undefined;
    if (source?.buffer === target.buffer && source.overwrites) return;
    // A rearrangement of the state itself cannot be written over it, nor can one that conflicts: both go through a copy.
    const isOwnView = source?.buffer === target.buffer;
    const isCopied = this.options.copiedStates.has(state.node.attributes.index);
    const isState = source && this.buffers[source.buffer].storage.kind === 'state';
    if (!isOwnView && !(isCopied && isState)) {
      this.copy(value, this.newStateVersion(state));
      return;
    }
    const own = contiguousLayout(value.shape);
    const copy = { version: this.copy(value, this.arenaBuffer(value)), ...own };
    this.emitElementwise(value.shape, [copy], { version: this.newStateVersion(state), ...own }, [
      { op: 'load', input: 0 },
    ]);
  }

  /** Outputs are read after the run, so they may not lie in memory that an update overwrites. */
  private outputBuffer(tensor: Tensor): number {
    const location = this.locate(tensor);
    const { storage, elements } = this.buffers[location.version.buffer];
    const isOwn = storage.kind === 'arena' || location.version.overwrites !== undefined;
    if (isOwn && elements === tensor.size && isContiguous(tensor.shape, location)) return location.version.buffer;
    return this.copy(tensor, this.arenaBuffer(tensor)).buffer;
  }
}

function checkRank(shape: readonly number[]): void {
  if (shape.length > 6) {
    throw shapeError(
      `an elementwise or reduce kernel has ${shape.length} axes that cannot be merged: [${shape}]; at most 6 are supported`,
    );
  }
}
