/** @file Changes of colour whose result is well defined: white stays white, black black, and gray, but for a named colour, gray. */

/** Red, green and blue, from 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Weights of red, green and blue in the luma of ITU-R BT.601. */
const LUMA: Rgb = [0.299, 0.587, 0.114];

/** Pixels [height, width, 3] from 0 to 255 as their luma. */
export function grayscale(pixels: Uint8Array): Uint8Array {
  return mapPixels(pixels, (pixel) => {
    const gray = lumaOf(pixel);
    return [gray, gray, gray];
  });
}

/** Every hue turned by a third: red to green, green to blue, blue to red. */
export function rotateHue(pixels: Uint8Array): Uint8Array {
  return mapPixels(pixels, ([red, green, blue]) => [blue, red, green]);
}

/** The luma as shades of one colour: from black through the colour, where the luma is half, to white. */
export function colourise(pixels: Uint8Array, colour: Rgb): Uint8Array {
  return mapPixels(pixels, (pixel) => {
    const luma = lumaOf(pixel) / 255;
    const [from, to, share] = luma < 0.5 ? [0, 1, 2 * luma] : [1, 2, 2 * luma - 1];
    return [0, 1, 2].map((channel) => {
      const stops = [0, colour[channel], 255];
      return stops[from] + share * (stops[to] - stops[from]);
    }) as unknown as Rgb;
  });
}

function lumaOf(pixel: Rgb): number {
  return pixel.reduce((sum, value, channel) => sum + LUMA[channel] * value, 0);
}

function mapPixels(pixels: Uint8Array, change: (pixel: Rgb) => Rgb): Uint8Array {
  const changed = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    const pixel = change([pixels[at], pixels[at + 1], pixels[at + 2]]);
    for (let channel = 0; channel < 3; channel++) changed[at + channel] = Math.round(pixel[channel]);
  }
  return changed;
}
