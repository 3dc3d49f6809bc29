/** @file An operand that is a matrix, or one for each element of the batch, as stored or transposed. */
import type { BindingSet } from '../../lowering.js';
import type { Access, Operand, OperandReader } from './product.js';

export function matrixOperand(options: {
  name: string;
  buffer: number;
  /** Elements from one position to the next, one of the two being 1. */
  sideStride: number;
  depthStride: number;
  /** Length of the contiguous axis. */
  contiguousLength: number;
  /** Elements between matrices; 0 where one serves the whole batch. */
  batchStride?: number;
}): Operand {
  const { name, buffer, sideStride, depthStride, contiguousLength, batchStride = 0 } = options;
  const contiguous = sideStride === 1 ? 'side' : 'depth';
  return {
    kind: 'matrix',
    buffer,
    contiguous,
    strides: { side: sideStride, depth: depthStride, batch: batchStride },
    quads: contiguousLength % 4 === 0 && batchStride % 4 === 0,
    bind(bindings: BindingSet, access: Access): OperandReader {
      const width = access === 'vec4' ? 4 : 1;
      const array = bindings.buffer(buffer, name, width === 4 ? 'vec4f' : 'f32');
      const scaled = (axis: Operand['contiguous'], position: string, stride: number) => {
        if (axis !== contiguous) return `(${position}) * ${stride / width}u`;
        return width === 1 ? `(${position})` : `(${position}) / 4u`;
      };
      return {
        functions: '',
        side(own, batch, position) {
          const matrix = batchStride > 0 ? `${batch} * ${batchStride / width}u + ` : '';
          return `let ${own} = ${matrix}${scaled('side', position, sideStride)};`;
        },
        depth: (own, position) => `let ${own} = ${scaled('depth', position, depthStride)};`,
        at: (side, depth) => array.at(`${side} + ${depth}`),
      };
    },
  };
}
