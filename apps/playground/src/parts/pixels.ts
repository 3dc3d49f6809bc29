/** @file Pictures of numbers on canvases. */
import type { Picture } from '../engine/protocol.js';

/** Draws the picture, pixel by pixel. */
export function paint(canvas: HTMLCanvasElement, { width, height, data }: Picture): void {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  if (!context) return;
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = (data[3 * i + channel] + 1) * 127.5;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** What a picture begins as. */
export function noise(width: number, height: number, seed: number): Picture {
  let state = seed * 2654435761 + 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { width, height, data: Float32Array.from({ length: width * height * 3 }, () => 0.55 * normal()) };
}

/** Large enough to show every pixel as a square. */
export function isCoarse({ width }: Pick<Picture, 'width'>): boolean {
  return width < 48;
}
