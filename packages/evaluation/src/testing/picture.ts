/** @file The pictures of scripts/make_onnx.py. */
import { fromBytes, type RgbImage } from '@transfusion/data';

export function picture(index: number, side = 8): RgbImage {
  const bytes = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return (y * 53 + x * 91 + c * 37 + x * y * 11 + index * 29) % 256;
  });
  return { width: side, height: side, data: fromBytes(bytes) };
}
