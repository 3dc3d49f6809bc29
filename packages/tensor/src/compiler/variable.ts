/** @file Variables: named device memory that persists between runs and is shared by compiled functions. */
import { type Shape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import type { Backend, DeviceBuffer, HostArray } from '../program/backend.js';
import type { DType } from '../program/program.js';

export class Variable {
  constructor(
    readonly dtype: DType,
    readonly shape: Shape,
    readonly buffer: DeviceBuffer,
  ) {}

  /** Replaces the contents. Runs begun earlier do not see it. */
  write(data: HostArray): void {
    if (data.length !== sizeOf(this.shape) || (this.dtype === 'f32') !== data instanceof Float32Array) {
      throw shapeError(
        `variable.write: the variable is ${this.dtype} ${showShape(this.shape)}, the data a ${data.constructor.name} of ${data.length}`,
      );
    }
    this.buffer.write(data);
  }

  /** The contents after all runs begun before, as f32 (i32 variables converted): elements `begin` to `end`; default: all. */
  async read(begin?: number, end?: number): Promise<Float32Array> {
    const bytes = await this.buffer.read(begin, end);
    return this.dtype === 'f32' ? new Float32Array(bytes) : Float32Array.from(new Int32Array(bytes));
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

export const isVariable = (value: unknown): value is Variable => value instanceof Variable;

interface VariableOptions {
  shape: Shape;
  /** Default f32. */
  dtype?: DType;
  /** Default zeros. */
  data?: HostArray;
}

/** A variable with the given contents, or zeros. */
export function createVariable(backend: Backend, options: VariableOptions): Variable {
  return withContents(options, backend.createBuffer(sizeOf(options.shape)));
}

/** Variables that the same programs use: a backend may put them side by side. */
export function createVariables(backend: Backend, variables: readonly VariableOptions[]): Variable[] {
  const sizes = variables.map(({ shape }) => sizeOf(shape));
  const buffers = backend.createBuffers?.(sizes) ?? sizes.map((size) => backend.createBuffer(size));
  return variables.map((options, i) => withContents(options, buffers[i]));
}

function withContents({ shape, dtype = 'f32', data }: VariableOptions, buffer: DeviceBuffer): Variable {
  const variable = new Variable(dtype, [...shape], buffer);
  if (data) variable.write(data);
  return variable;
}
