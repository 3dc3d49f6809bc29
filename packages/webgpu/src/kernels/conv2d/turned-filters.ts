/** @file The filters in the gradient by the input: depth (tap, output channel), side input channel. */
import type { Conv2dShape } from '@transfusion/tensor';
import type { BindingSet } from '../../lowering.js';
import type { Access, Operand, OperandReader } from '../products/product.js';

export function turnedFilters({ channels, outputChannels }: Conv2dShape, buffer: number): Operand {
  return {
    kind: 'matrix',
    buffer,
    contiguous: 'depth',
    quads: outputChannels % 4 === 0,
    bind(bindings: BindingSet, access: Access): OperandReader {
      const width = access === 'vec4' ? 4 : 1;
      const array = bindings.buffer(buffer, 'filters', width === 4 ? 'vec4f' : 'f32');
      const row = outputChannels / width;
      return {
        functions: '',
        side: (name, _, position) => `let ${name} = (${position}) * ${row}u;`,
        depth: (name, position) =>
          `let ${name} = (${position}) / ${outputChannels}u * ${channels * row}u + (${position}) % ${outputChannels}u / ${width}u;`,
        at: (side, depth) => array.at(`${side} + ${depth}`),
      };
    },
  };
}
