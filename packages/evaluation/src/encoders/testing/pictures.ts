/** @file Pictures for tests: squares of a colour on gray, told by its name, as many as are asked for. */
import type { DescribedImage } from '../captions.js';

export const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
  white: [255, 255, 255],
  black: [0, 0, 0],
  yellow: [255, 255, 0],
};

/** Picture i has colour i of the list, in turn, and a square that grows with i; side 8. */
export function colouredPictures(count: number): DescribedImage[] {
  const names = Object.keys(COLOURS);
  return Array.from({ length: count }, (_, i) => {
    const name = names[i % names.length];
    const inside = 4 + (Math.floor(i / names.length) % 4);
    const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % 8, Math.floor(at / 24)];
      return x < inside && y < inside ? COLOURS[name][at % 3] : 128;
    });
    const picture = { caption: name, name: `picture ${i}`, group: `${i}`, width: 8, height: 8, pixels };
    return { ...picture, otherCaptions: [`a ${name} square`] };
  });
}
