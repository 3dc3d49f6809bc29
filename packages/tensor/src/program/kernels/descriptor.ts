/**
 * @file The form of a kernel's description: all that compiler, profiles and checks know of a kind. Each field that names
 * buffers has to say what the kernel does with them; cost and precision follow.
 */
import type { Epilogue, OperandField, View } from './operand.js';

export interface OperandUse<K> {
  /** An update reads and writes: the kernel works in place. */
  access: 'read' | 'write' | 'update';
  /**
   * With precision f16. `activation`: f16 is what the kernel wants; `plain`: f16 if another kernel wants it; `exact`: the
   * tensor's own type, always.
   */
  precision: 'activation' | 'plain' | 'exact';
  /** Elements moved, where they are not each one once (an update: twice). */
  moved?: (kernel: K) => number;
}

type HasViews<K> = true extends {
  [Field in keyof K]: NonNullable<K[Field]> extends View | View[] | Epilogue ? true : false;
}[keyof K]
  ? true
  : false;

export type KernelDescriptor<K> = {
  /** What it is counted as where time is broken down. `product`: computed by backends as matrix products. */
  readonly family: 'product' | 'attention' | 'optimizer' | 'other';
  /** Every field that names buffers. */
  readonly operands: { readonly [Field in OperandField<K>]: OperandUse<K> };
  /** Floating-point operations, a multiply-add counted as two; of products and attention only. */
  flops(kernel: K): number;
  /** For people: which of several forms of the kernel it is. */
  variant?(kernel: K): string;
} & (HasViews<K> extends true
  ? {
      /** The iteration space of its views. */
      space(kernel: K): readonly number[];
    }
  : { space?: undefined });

export function reads<K>(precision: OperandUse<K>['precision'], moved?: OperandUse<K>['moved']): OperandUse<K> {
  return { access: 'read', precision, moved };
}

export function writes<K>(precision: OperandUse<K>['precision'], moved?: OperandUse<K>['moved']): OperandUse<K> {
  return { access: 'write', precision, moved };
}

export function updates<K>(precision: OperandUse<K>['precision'], moved?: OperandUse<K>['moved']): OperandUse<K> {
  return { access: 'update', precision, moved };
}

/** The FLOPs of kernels whose time is that of their bytes. */
export function memoryBound(): number {
  return 0;
}
