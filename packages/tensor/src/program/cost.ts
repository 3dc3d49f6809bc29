/** @file What a kernel costs at least: arithmetic, and bytes read and written once. */
import { describeKernel, type Kernel, type View } from './kernels/index.js';
import { type KernelOperand, operandsOf } from './operands.js';
import { bufferBytes, type Program, type ProgramBuffer } from './program.js';

/** Floating-point operations of a kernel: products exactly (a convolution's padding counted), attention as if half of the keys were visible. */
export function kernelFlops(kernel: Kernel): number {
  return describeKernel(kernel).flops(kernel);
}

/** Bytes that a kernel reads and writes if it touches every element once; a buffer that is two whole operands is read once. */
export function kernelBytes(kernel: Kernel, { buffers }: Pick<Program, 'buffers'>): number {
  const operands = operandsOf(kernel);
  const isRepeated = ({ buffer, view }: KernelOperand, i: number) =>
    !view && operands.findIndex((other) => !other.view && other.buffer === buffer) < i;
  return operands.reduce(
    (sum, operand, i) => (isRepeated(operand, i) ? sum : sum + bytesMoved(kernel, operand, buffers[operand.buffer])),
    0,
  );
}

function bytesMoved(kernel: Kernel, { use, view }: KernelOperand, buffer: ProgramBuffer): number {
  const bytesPerElement = buffer.dtype === 'f16' ? 2 : 4;
  if (use.moved) return use.moved(kernel) * bytesPerElement;
  const once = view ? elementsSeen(view, describeKernel(kernel).space!(kernel)) * bytesPerElement : bufferBytes(buffer);
  return use.access === 'update' ? 2 * once : once;
}

/** Elements of a view over an iteration space, those that it repeats counted once. */
function elementsSeen({ strides }: View, space: readonly number[]): number {
  return space.reduce((product, length, axis) => product * (strides[axis] === 0 ? 1 : length), 1);
}
