/**
 * @file Kernels that can share a dispatch: they do the same to every element, so that element i of one and element j of
 * another are only different places in memory. A training step has hundreds: an update, a moving average and a part of the
 * gradients' norm for each parameter.
 */
import type { AdamWKernel, ElementwiseKernel, Kernel, Program, ReduceKernel, View } from '@transfusion/tensor';
import type { MemoryPlan } from '../runtime/memory-plan.js';

/** A buffer of such a kernel. */
export interface MemberOperand {
  /** Its name in WGSL. */
  name: string;
  buffer: number;
  /** Elements before its first. */
  offset: number;
  /** One for each element of the kernel, or the same few for all. */
  each: boolean;
}

export type MemberKernel = AdamWKernel | ElementwiseKernel | ReduceKernel;

export interface Member {
  kernel: MemberKernel;
  /** What it does, apart from where: members that do the same have the same. */
  operation: string;
  elements: number;
  /** Elements that an invocation takes at once. */
  width: 1 | 4;
  operands: MemberOperand[];
}

/** The kernel as one that can share a dispatch, if it can. */
export function memberOf(kernel: Kernel, program: Program, { blocks, places }: MemoryPlan): Member | undefined {
  const member = describe(kernel);
  const fits = member?.operands.every(({ buffer }) => {
    const isWhole = blocks[places[buffer].block].bytes % 16 === 0;
    return program.buffers[buffer].dtype === 'f32' && isWhole;
  });
  return fits ? member : undefined;
}

function describe(kernel: Kernel): Member | undefined {
  switch (kernel.kind) {
    case 'adamw': {
      const { elements, beta1, beta2, epsilon, weightDecay } = kernel;
      const operand = (name: keyof AdamWKernel, each: boolean): MemberOperand => {
        return { name, buffer: kernel[name] as number, offset: 0, each };
      };
      const width = elements % 4 === 0 ? 4 : 1;
      const operation = JSON.stringify([kernel.kind, width, beta1, beta2, epsilon, weightDecay]);
      const operands = [
        ...(['parameter', 'gradient', 'm', 'v'] as const).map((name) => operand(name, true)),
        ...(['hyper', 'gradientScale'] as const).map((name) => operand(name, false)),
      ];
      return { kernel, operation, elements, width, operands };
    }
    case 'elementwise': {
      const inputs = viewsOf(kernel.shape, kernel.inputs, (i) => `input${i}`);
      const [output] = viewsOf(kernel.shape, [kernel.output], () => 'output') ?? [];
      if (!inputs || !output?.each) return undefined;
      return linear(kernel, kernel.shape[0], [kernel.kind, kernel.expression], [...inputs, output]);
    }
    case 'reduce': {
      if (kernel.keptRank > 0) return undefined;
      const inputs = viewsOf(kernel.shape, kernel.inputs, (i) => `input${i}`);
      if (!inputs) return undefined;
      const output = { name: 'output', buffer: kernel.output, offset: 0, each: false };
      return linear(kernel, kernel.shape[0], [kernel.kind, kernel.op, kernel.expression], [...inputs, output]);
    }
    default:
      return undefined;
  }
}

function linear(
  kernel: MemberKernel,
  elements: number,
  operation: unknown[],
  operands: MemberOperand[],
): Member | undefined {
  return { kernel, operation: JSON.stringify(operation), elements, width: 1, operands };
}

/** Views that walk memory in order or stay where they are; undefined where one does neither. */
function viewsOf(
  shape: readonly number[],
  views: readonly View[],
  name: (i: number) => string,
): MemberOperand[] | undefined {
  if (shape.length !== 1) return undefined;
  const operands = views.map(({ buffer, offset, strides: [stride] }, i) => {
    return { name: name(i), buffer, offset, each: stride === 1 || shape[0] === 1, stride };
  });
  return operands.every(({ each, stride }) => each || stride === 0)
    ? operands.map(({ stride: _, ...operand }) => operand)
    : undefined;
}
