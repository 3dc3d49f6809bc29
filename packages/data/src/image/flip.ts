/** @file Mirror images. */

/** Swaps left and right of an image [height, width, channels]. */
export function flipHorizontally<Data extends Float32Array | Uint8Array>(options: {
  data: Data;
  width: number;
  channels: number;
}): Data {
  const { data, width, channels } = options;
  const flipped = data.slice() as Data;
  const line = width * channels;
  for (let start = 0; start < data.length; start += line) {
    for (let x = 0; x < width; x++) {
      const from = start + (width - 1 - x) * channels;
      flipped.set(data.subarray(from, from + channels), start + x * channels);
    }
  }
  return flipped;
}

/** Swaps top and bottom of an image [height, width, channels]. */
export function flipVertically<Data extends Float32Array | Uint8Array>(options: {
  data: Data;
  width: number;
  channels: number;
}): Data {
  const { data, width, channels } = options;
  const line = width * channels;
  const flipped = data.slice() as Data;
  for (let start = 0; start < data.length; start += line) {
    flipped.set(data.subarray(start, start + line), data.length - line - start);
  }
  return flipped;
}
