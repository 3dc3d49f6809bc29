/** @file Maps of features in host memory, and rectangles of them. */

/** [height, width, channels], flattened. */
export interface FeatureMap {
  height: number;
  width: number;
  channels: number;
  data: Float32Array;
}

/** Rows top to top + height, columns left to left + width; may reach beyond the map. */
export interface Region {
  top: number;
  left: number;
  height: number;
  width: number;
}

export function emptyMap(height: number, width: number, channels: number): FeatureMap {
  return { height, width, channels, data: new Float32Array(height * width * channels) };
}

/** A region of a map; zeros where it reaches beyond. */
export function cropRegion(map: FeatureMap, region: Region): Float32Array {
  const result = new Float32Array(region.height * region.width * map.channels);
  copyRows(map, region, (inMap, inRegion, length) => result.set(map.data.subarray(inMap, inMap + length), inRegion));
  return result;
}

/** Writes a region that lies inside the map. */
export function pasteRegion(map: FeatureMap, region: Region, values: Float32Array): void {
  copyRows(map, region, (inMap, inRegion, length) => map.data.set(values.subarray(inRegion, inRegion + length), inMap));
}

/** Calls `copy` for the part of every row of a region that lies in the map, with offsets in both. */
function copyRows(
  { height, width, channels }: FeatureMap,
  region: Region,
  copy: (inMap: number, inRegion: number, length: number) => void,
): void {
  const [from, to] = [Math.max(0, region.left), Math.min(width, region.left + region.width)];
  if (to <= from) return;
  for (let row = Math.max(0, region.top); row < Math.min(height, region.top + region.height); row++) {
    const inRegion = ((row - region.top) * region.width + from - region.left) * channels;
    copy((row * width + from) * channels, inRegion, (to - from) * channels);
  }
}

/** Starts of equal tiles that cover `length`; the last may cover some of the one before again. */
export function tileStarts(length: number, tile: number): number[] {
  const count = Math.ceil(length / tile);
  return Array.from({ length: count }, (_, i) => Math.min(i * tile, length - tile));
}

export interface ChannelStatistics {
  /** For every channel, its group's: [channels]. */
  mean: Float32Array;
  /** 1 / sqrt(variance + epsilon) */
  rstd: Float32Array;
}

/** The statistics of group norm over the whole of a map. */
export function groupStatistics(map: FeatureMap, groups: number, epsilon: number): ChannelStatistics {
  const { channels, data } = map;
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let at = 0; at < data.length; at += channels) {
    for (let c = 0; c < channels; c++) {
      const value = data[at + c];
      sums[c] += value;
      squares[c] += value * value;
    }
  }
  const width = channels / groups;
  const count = (data.length / channels) * width;
  const ofGroup = (list: Float64Array, c: number) => {
    const first = Math.floor(c / width) * width;
    return list.subarray(first, first + width).reduce((sum, each) => sum + each, 0) / count;
  };
  const mean = Float32Array.from({ length: channels }, (_, c) => ofGroup(sums, c));
  const rstd = Float32Array.from({ length: channels }, (_, c) => {
    const variance = Math.max(0, ofGroup(squares, c) - ofGroup(sums, c) ** 2);
    return 1 / Math.sqrt(variance + epsilon);
  });
  return { mean, rstd };
}
