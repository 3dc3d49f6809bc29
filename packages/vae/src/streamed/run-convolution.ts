/** @file One convolution over a map of any size, tile by tile. A tile reads one pixel more on each side than it writes. */
import { type ConvolutionParameters, convolution, type NormParameters } from '@transfusion/nn';
import { type Backend, compile, f32, type Tensor, upsampleNearest } from '@transfusion/tensor';
import { NORM_EPSILON } from '../autoencoder/config.js';
import {
  type ChannelStatistics,
  cropRegion,
  emptyMap,
  type FeatureMap,
  groupStatistics,
  pasteRegion,
  type Region,
  tileStarts,
} from './feature-map.js';
import type { ConvolutionStep } from './steps.js';

/** Height, width and channels. */
export type MapSize = Omit<FeatureMap, 'data'>;

export interface StreamOptions {
  backend: Backend;
  /** Of group norm. */
  groups: number;
  /** The most bytes that the wider of a tile's input and output has. */
  tileBytes: number;
}

export function outputSize({ sampling, conv }: ConvolutionStep, { height, width }: MapSize): MapSize {
  const factor = { same: 1, down: 0.5, up: 2 }[sampling];
  return { height: height * factor, width: width * factor, channels: conv.bias.shape[0] };
}

/** Rows and columns of the input that a region of the output reads. */
function inputRegion(sampling: ConvolutionStep['sampling'], region: Region): Region {
  const axis = {
    same: (start: number, length: number) => [start - 1, length + 2],
    down: (start: number, length: number) => [2 * start, 2 * length + 1],
    up: (start: number, length: number) => [start / 2 - 1, length / 2 + 2],
  }[sampling];
  const [top, height] = axis(region.top, region.height);
  const [left, width] = axis(region.left, region.width);
  return { top, left, height, width };
}

/** Tiles of the output: equal, even, as square as the output allows. */
function tileOf(step: ConvolutionStep, input: MapSize, tileBytes: number): { height: number; width: number } {
  const output = outputSize(step, input);
  const perPixel = { same: 1, down: 4, up: 0.25 }[step.sampling] * input.channels;
  const side = Math.sqrt(tileBytes / 4 / Math.max(perPixel, output.channels));
  const even = Math.max(2, 2 * Math.floor(side / 2));
  return { height: Math.min(output.height, even), width: Math.min(output.width, even) };
}

interface StepTensors {
  conv: ConvolutionParameters;
  norm?: NormParameters;
  shortcut?: ConvolutionParameters;
}

/** The program of a tile: what a step computes of one. */
export function compileTile(step: ConvolutionStep, input: MapSize, options: StreamOptions) {
  const { sampling, conv, norm, addsKept } = step;
  const tile = tileOf(step, input, options.tileBytes);
  const read = inputRegion(sampling, { top: 0, left: 0, ...tile });
  const keptChannels = addsKept?.shortcut?.weight.shape[2] ?? conv.bias.shape[0];
  return compile({
    backend: options.backend,
    name: `${step.name} ${tile.height}x${tile.width}`,
    inputs: {
      x: f32(1, read.height, read.width, input.channels),
      ...(norm && {
        statistics: { mean: f32(input.channels), rstd: f32(input.channels) },
        inside: { rows: f32(1, read.height, 1, 1), columns: f32(1, 1, read.width, 1) },
      }),
      ...(addsKept && { kept: f32(1, tile.height, tile.width, keptChannels) }),
    },
    state: { conv, norm, shortcut: addsKept?.shortcut },
    fn: (inputs, state) => ({
      outputs: { y: tileFunction(sampling, tile, inputs as TileInputs, state as StepTensors) },
    }),
  });
}

interface TileInputs {
  x: Tensor;
  /** Of the whole map. */
  statistics?: { mean: Tensor; rstd: Tensor };
  /** 1 inside the map, 0 beyond, where a convolution pads after norm and SiLU. */
  inside?: { rows: Tensor; columns: Tensor };
  kept?: Tensor;
}

function tileFunction(
  sampling: ConvolutionStep['sampling'],
  tile: { height: number; width: number },
  { x, statistics, inside, kept }: TileInputs,
  { conv, norm, shortcut }: StepTensors,
): Tensor {
  let y = x;
  if (norm && statistics && inside) {
    const normalised = y.sub(statistics.mean).mul(statistics.rstd.mul(norm.weight)).add(norm.bias);
    y = normalised.silu().mul(inside.rows).mul(inside.columns);
  }
  if (sampling === 'up') {
    // The doubled input begins two pixels before the tile, a 3x3 filter reads one.
    y = upsampleNearest(y, 2)
      .slice(1, 1, tile.height + 3)
      .slice(2, 1, tile.width + 3);
  }
  y = convolution(conv, y, { stride: sampling === 'down' ? 2 : 1 });
  return kept ? y.add(shortcut ? convolution(shortcut, kept) : kept) : y;
}

/** A step over a whole map; `kept` is what an earlier step kept. */
export async function runConvolution(
  step: ConvolutionStep,
  map: FeatureMap,
  kept: FeatureMap | undefined,
  options: StreamOptions,
): Promise<FeatureMap> {
  const size = outputSize(step, map);
  const output = emptyMap(size.height, size.width, size.channels);
  const tile = tileOf(step, map, options.tileBytes);
  const statistics = step.norm && groupStatistics(map, options.groups, NORM_EPSILON);
  const compiled = await compileTile(step, map, options);
  try {
    for (const top of tileStarts(size.height, tile.height)) {
      for (const left of tileStarts(size.width, tile.width)) {
        const region = { top, left, ...tile };
        const inputs = tileInputs(step, { map, kept, region, statistics });
        const { y } = await compiled.run(inputs as Parameters<typeof compiled.run>[0]);
        pasteRegion(output, region, y);
      }
    }
  } finally {
    compiled.dispose();
  }
  return output;
}

function tileInputs(
  step: ConvolutionStep,
  options: { map: FeatureMap; kept?: FeatureMap; region: Region; statistics?: ChannelStatistics },
) {
  const { map, kept, region, statistics } = options;
  const read = inputRegion(step.sampling, region);
  const isInside = (start: number, length: number, end: number) =>
    Float32Array.from({ length }, (_, i) => (start + i >= 0 && start + i < end ? 1 : 0));
  return {
    x: cropRegion(map, read),
    ...(statistics && {
      statistics: { ...statistics },
      inside: {
        rows: isInside(read.top, read.height, map.height),
        columns: isInside(read.left, read.width, map.width),
      },
    }),
    ...(step.addsKept && kept && { kept: cropRegion(kept, region) }),
  };
}
