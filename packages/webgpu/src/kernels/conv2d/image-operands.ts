/**
 * @file Images as operands of a product: a pixel of the output (or of the input, in the gradient by it) is one position,
 * a tap of the filter with a channel the other. No matrix of patches is ever stored.
 */
import type { Conv2dShape } from '@transfusion/tensor';
import type { BindingSet } from '../../lowering.js';
import type { Access, Operand, OperandReader } from '../products/product.js';

/** Which of the two positions is the product's side and which its depth. */
type Roles = { pixel: 'side'; tap: 'depth' } | { pixel: 'depth'; tap: 'side' };

interface ImageOptions {
  buffer: number;
  name: string;
  roles: Roles;
}

/** Element (pixel of the output, tap and channel) is the input that the tap reads there, zero outside the image. */
export function inputPatches(shape: Conv2dShape, options: ImageOptions): Operand {
  const { height, width, channels, outputHeight, outputWidth, strideY, strideX, padTop, padLeft } = shape;
  return imageOperand(shape, {
    ...options,
    channels,
    pixel: (name, position) => `let ${name}_line = (${position}) / ${outputWidth}u;
    let ${name}_y = i32(${name}_line % ${outputHeight}u * ${strideY}u) - ${padTop};
    let ${name}_x = i32((${position}) % ${outputWidth}u * ${strideX}u) - ${padLeft};
    let ${name}_image = ${name}_line / ${outputHeight}u * ${height}u;`,
    locate: `let row = y + i; let column = x + j;
  let inside = (u32(row) < ${height}u) & (u32(column) < ${width}u);
  let position = (first + u32(row)) * ${width}u + u32(column);`,
  });
}

/** Element (pixel of the input, tap and output channel) is the gradient of the output that the tap made of the pixel. */
export function outputPatches(shape: Conv2dShape, options: ImageOptions): Operand {
  const { height, width, outputChannels, outputHeight, outputWidth, strideY, strideX, padTop, padLeft } = shape;
  const divisible = [
    ...(strideY > 1 ? [`(down % ${strideY} == 0)`] : []),
    ...(strideX > 1 ? [`(across % ${strideX} == 0)`] : []),
  ];
  return imageOperand(shape, {
    ...options,
    channels: outputChannels,
    pixel: (name, position) => `let ${name}_line = (${position}) / ${width}u;
    let ${name}_y = i32(${name}_line % ${height}u) + ${padTop};
    let ${name}_x = i32((${position}) % ${width}u) + ${padLeft};
    let ${name}_image = ${name}_line / ${height}u * ${outputHeight}u;`,
    locate: `let down = y - i; let across = x - j;
  let row = down / ${strideY}; let column = across / ${strideX};
  let inside = ${['(down >= 0)', '(across >= 0)', `(row < ${outputHeight})`, `(column < ${outputWidth})`, ...divisible].join(' & ')};
  let position = (first + u32(row)) * ${outputWidth}u + u32(column);`,
  });
}

interface ImageParts extends ImageOptions {
  /** Channels of the image that is read. */
  channels: number;
  /** Statements that prepare a pixel: `name_y`, `name_x` and `name_image`, its first row, what `locate` needs. */
  pixel(name: string, position: string): string;
  /** Statements that turn y, x, that row (`first`) and the tap's i, j into `inside` and `position`, counted in pixels. */
  locate: string;
}

function imageOperand({ kernelWidth }: Conv2dShape, parts: ImageParts): Operand {
  const { buffer, name, roles, channels, pixel, locate } = parts;
  const tap = (own: string, position: string) => `let ${own}_tap = (${position}) / ${channels}u;
    let ${own}_i = i32(${own}_tap / ${kernelWidth}u);
    let ${own}_j = i32(${own}_tap % ${kernelWidth}u);
    let ${own}_channel = (${position}) % ${channels}u;`;
  return {
    kind: 'image',
    buffer,
    contiguous: roles.tap,
    quads: channels % 4 === 0,
    bind(bindings: BindingSet, access: Access): OperandReader {
      const width = access === 'vec4' ? 4 : 1;
      const type = width === 4 ? 'vec4f' : 'f32';
      const array = bindings.buffer(buffer, name, type);
      const element = `position * ${channels / width}u + channel${width === 4 ? ' / 4u' : ''}`;
      return {
        functions: `fn ${name}_at(y: i32, x: i32, first: u32, i: i32, j: i32, channel: u32) -> ${type} {
  ${locate}
  // No branch, and no && above, which is one: in every load of a tile it takes software adapters seconds to compile.
  return select(${type}(), ${array.at(`select(0u, ${element}, inside)`)}, inside);
}`,
        side: (own, _, position) => (roles.pixel === 'side' ? pixel(own, position) : tap(own, position)),
        depth: (own, position) => (roles.pixel === 'depth' ? pixel(own, position) : tap(own, position)),
        at(side, depth) {
          const [at, of] = roles.pixel === 'side' ? [side, depth] : [depth, side];
          return `${name}_at(${at}_y, ${at}_x, ${at}_image, ${of}_i, ${of}_j, ${of}_channel)`;
        },
      };
    },
  };
}
