/** @file The buffers of a kernel, by its description. */
import {
  type BufferIndex,
  describeKernel,
  type Epilogue,
  type Kernel,
  type MatrixOperand,
  type OperandUse,
  type View,
} from './kernels/index.js';

/** A buffer that a kernel names, and what it does with it. */
export interface KernelOperand {
  /** The kernel's field. */
  field: string;
  buffer: BufferIndex;
  /** Where it is not the whole buffer. */
  view?: View;
  use: OperandUse<Kernel>;
}

/** All of them; a buffer that is named twice is there twice. */
export function operandsOf(kernel: Kernel): KernelOperand[] {
  const operands: KernelOperand[] = [];
  const fields = kernel as unknown as Record<
    string,
    BufferIndex | View | View[] | MatrixOperand | Epilogue | undefined
  >;
  for (const [field, use] of Object.entries(describeKernel(kernel).operands)) {
    const operand = fields[field];
    if (operand === undefined) continue;
    if (typeof operand === 'number') operands.push({ field, buffer: operand, use });
    else if ('transpose' in operand) operands.push({ field, buffer: operand.buffer, use });
    else for (const view of viewsOf(operand)) operands.push({ field, buffer: view.buffer, view, use });
  }
  return operands;
}

function viewsOf(operand: View | View[] | Epilogue): readonly View[] {
  if (Array.isArray(operand)) return operand;
  return 'views' in operand ? operand.views : [operand];
}
