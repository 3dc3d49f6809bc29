/** @file A program in the making: its buffers, its kernels, and where every tensor lies. */

import type { Tensor } from '../graph/node.js';
import type { Shape } from '../graph/shape.js';
import { shapeError } from '../graph/shape.js';
import { barrierOp } from '../ops/checkpoint.js';
import { constantOp, inputOp, stateOp } from '../ops/leaf.js';
import { broadcastOp, broadcastStrides, permuteOp, reshapeOp, sliceOp } from '../ops/movement.js';
import type { Expression, Kernel, View } from '../program/kernels/index.js';
import type { BufferStorage, BufferType } from '../program/program.js';
import type { Unit, Version } from './schedule.js';
import { constantValue } from './simplify.js';
import { collapse, contiguousLayout, isContiguous, type Layout, reshapeStrides } from './views.js';

/** A buffer before memory is planned: arena buffers have no place yet. */
export interface VirtualBuffer {
  dtype: BufferType;
  elements: number;
  storage: Exclude<BufferStorage, { kind: 'arena' }> | { kind: 'arena' };
  name: string;
}

/** Where a tensor's elements are, in one version of a buffer's contents. */
export interface Location extends Layout {
  version: Version;
}

export class ProgramBuilder {
  readonly buffers: VirtualBuffer[] = [];
  /** Kernels in the order in which they were added; `schedule` orders them. */
  readonly units: Unit[] = [];
  private readonly locations = new Map<Tensor, Location>();
  private readonly halves = new Map<Version, Version>();

  /** @param updatedState the state whose memory a tensor may be written to directly */
  constructor(private readonly updatedState: ReadonlyMap<Tensor, Tensor>) {}

  isLocated(tensor: Tensor): boolean {
    return this.locations.has(tensor);
  }

  newBuffer(dtype: BufferType, elements: number, storage: VirtualBuffer['storage'], name: string): Version {
    this.buffers.push({ dtype, elements, storage, name });
    return { buffer: this.buffers.length - 1, writers: [], readers: [] };
  }

  arenaBuffer(tensor: Tensor): Version {
    return this.newBuffer(tensor.dtype, tensor.size, { kind: 'arena' }, tensor.node.op.name);
  }

  /** The version that a kernel writes when it computes `tensor`: the state it updates, or memory of the program. */
  resultVersion(tensor: Tensor, readsState?: (state: Version) => boolean): Version {
    const state = this.updatedState.get(tensor);
    if (state) {
      const old = this.locate(state).version;
      if (!readsState?.(old)) return this.newStateVersion(state);
    }
    return this.arenaBuffer(tensor);
  }

  newStateVersion(state: Tensor): Version {
    const old = this.locate(state).version;
    return { buffer: old.buffer, writers: [], readers: [], overwrites: old, state: state.node.attributes.index };
  }

  setLocation(tensor: Tensor, version: Version): Location {
    const location = { version, ...contiguousLayout(tensor.shape) };
    this.locations.set(tensor, location);
    return location;
  }

  locate(tensor: Tensor): Location {
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
    if (op === barrierOp) {
      // The same memory, whose readers come after the other operands are written.
      const others = tensor.node.inputs.slice(1).flatMap((other) => this.locate(other).version.writers);
      return { version: { ...version, writers: [...version.writers, ...others] }, offset, strides };
    }
    throw new Error(`no location for ${op.name}`);
  }

  /** The version of a buffer that holds exactly `tensor`, contiguous; copies it where it is a view. */
  whole(tensor: Tensor): Version {
    const location = this.locate(tensor);
    const { elements } = this.buffers[location.version.buffer];
    if (elements === tensor.size && isContiguous(tensor.shape, location)) return location.version;
    const copy = this.copy(tensor, this.arenaBuffer(tensor));
    this.setLocation(tensor, copy);
    return copy;
  }

  /** `whole`, in f16 where the elements persist as f32: products of one version of a parameter share the copy. */
  wholeHalf(tensor: Tensor): Version {
    const version = this.whole(tensor);
    if (this.buffers[version.buffer].storage.kind === 'arena') return version;
    let copy = this.halves.get(version);
    if (!copy) {
      copy = this.copy(tensor, this.newBuffer('f16', tensor.size, { kind: 'arena' }, tensor.node.op.name));
      this.halves.set(version, copy);
    }
    return copy;
  }

  emit(kernel: Kernel, reads: Version[], writes: Version[]): void {
    const unit: Unit = { kernel, reads: [...new Set(reads)], writes };
    for (const version of unit.reads) version.readers.push(unit);
    for (const version of writes) version.writers.push(unit);
    this.units.push(unit);
  }

  /** Copies a tensor to `target`, or to a part of it given by `layout`. */
  copy(
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

  emitElementwise(
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
}

/** @throws TENSOR_SHAPE_MISMATCH where more axes than a kernel may have cannot be merged */
export function checkRank(shape: Shape): void {
  if (shape.length > 6) {
    throw shapeError(
      `an elementwise or reduce kernel has ${shape.length} axes that cannot be merged: [${shape}]; at most 6 are supported`,
    );
  }
}
