/** @file What an ONNX network takes and gives, where it is one of pictures: read from the file, as far as that says it. */
import { nearestName, TransfusionError } from '@transfusion/core';
import type { ImageSize } from '@transfusion/data';
import type { OnnxSession, OnnxValue } from './onnx-runtime.js';

/** [pictures, channels, height, width], or the channels last. */
export type PictureLayout = 'nchw' | 'nhwc';

export interface PictureInput {
  name: string;
  layout: PictureLayout;
  size: ImageSize;
  /** Pictures in a batch, where the file fixes them. */
  batch: number | undefined;
}

const CHANNELS = 3;
const TOWER = 'export the part that makes features of pictures alone: of CLIP its vision tower';

/**
 * @param wanted.size side of square pictures, where the file leaves it open
 * @param wanted.layout where the file leaves it open; default `nchw`
 * @throws TransfusionError EVALUATION_ONNX_INPUT: it takes something else than RGB pictures in f32, or what is wanted disagrees
 */
export function pictureInput(
  path: string,
  session: Pick<OnnxSession, 'inputMetadata'>,
  wanted: { size?: number; layout?: PictureLayout },
): PictureInput {
  const inputs = session.inputMetadata;
  const [input] = inputs;
  if (inputs.length !== 1) {
    throw wrongInput(path, `it has ${inputs.length} inputs (${list(inputs)}), expected one, the pictures`, TOWER);
  }
  const { name, shape } = input;
  const what = `its input ${describe(input)}`;
  if (!input.isTensor || shape?.length !== 4)
    throw wrongInput(path, `${what} is no batch of pictures: that has 4 axes`, TOWER);
  if (input.type !== 'float32') {
    throw wrongInput(path, `${what} is not of float32`, 'export it for float32, the weights may be of any type');
  }
  const [batch, ...axes] = shape.map(fixed);
  const layout = layoutOf(axes, wanted.layout);
  if (layout === undefined) {
    const as = wanted.layout ? ` as ${wanted.layout}` : '';
    throw wrongInput(path, `${what} has not ${CHANNELS} channels${as}`, wanted.layout && 'leave `layout` out');
  }
  const [height, width] = layout === 'nchw' ? axes.slice(1) : axes.slice(0, 2);
  return { name, layout, batch, size: sizeOf(path, what, { height, width }, wanted.size) };
}

/**
 * The one output, or that of a name.
 *
 * @throws TransfusionError EVALUATION_ONNX_OUTPUT: there is none of that name, or which one is not said
 */
export function featureOutput(path: string, session: Pick<OnnxSession, 'outputMetadata'>, name?: string): string {
  const outputs = session.outputMetadata;
  if (name === undefined && outputs.length === 1) return outputs[0].name;
  if (name !== undefined && outputs.some((output) => output.name === name)) return name;
  const nearest =
    name &&
    nearestName(
      name,
      outputs.map((output) => output.name),
    );
  const hint = nearest ? `did you mean ${JSON.stringify(nearest)}?` : undefined;
  throw new TransfusionError({
    code: 'EVALUATION_ONNX_OUTPUT',
    message: `${path}: ${name === undefined ? `it has ${outputs.length} outputs` : `it has no output ${JSON.stringify(name)}`}: ${list(outputs)}`,
    fix: hint ?? 'name the one with a row of features for each picture in `output`',
  });
}

function layoutOf(axes: readonly (number | undefined)[], wanted?: PictureLayout): PictureLayout | undefined {
  const fits = (size: number | undefined) => size === undefined || size === CHANNELS;
  const possible = (
    [
      ['nchw', axes[0]],
      ['nhwc', axes[2]],
    ] as const
  ).filter(([, channels]) => fits(channels));
  if (wanted) return possible.find(([layout]) => layout === wanted)?.[0];
  // What says 3 goes before what is open.
  return (possible.find(([, channels]) => channels === CHANNELS) ?? possible[0])?.[0];
}

function sizeOf(
  path: string,
  what: string,
  { width, height }: { width: number | undefined; height: number | undefined },
  side: number | undefined,
): ImageSize {
  const size = { width: width ?? side, height: height ?? side };
  if (size.width === undefined || size.height === undefined) {
    throw wrongInput(
      path,
      `${what} leaves the size of pictures open`,
      'give the side that the network was trained with in `size`: 299 of Inception v3, 224 of most CLIP',
    );
  }
  if (side !== undefined && (size.width !== side || size.height !== side)) {
    throw wrongInput(
      path,
      `${what} is of ${size.width} x ${size.height} pixels, \`size\` is ${side}`,
      'leave `size` out',
    );
  }
  return { width: size.width, height: size.height };
}

/** A size, or undefined where it is open. */
function fixed(size: number | string): number | undefined {
  return typeof size === 'number' && size > 0 ? size : undefined;
}

function list(values: readonly OnnxValue[]): string {
  return values.map(describe).join(', ') || 'none';
}

/** "pixel_values float32 [batch, 3, 224, 224]" */
function describe({ name, type = 'no tensor', shape }: OnnxValue): string {
  const sizes = shape?.map((size) => (size === '' ? '?' : size));
  return `${JSON.stringify(name)} ${type}${sizes ? ` [${sizes.join(', ')}]` : ''}`;
}

function wrongInput(path: string, message: string, fix?: string): TransfusionError {
  return new TransfusionError({ code: 'EVALUATION_ONNX_INPUT', message: `${path}: ${message}`, fix });
}
