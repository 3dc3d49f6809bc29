/** @file Pictures changed a little, so that a network does not learn them by heart. */
import { type CaptionedImage, flipHorizontally, imageOf } from '@transfusion/data';
import type { PhiloxStream } from '@transfusion/tensor';
import type { EvaluatorTrainingConfig } from './training-config.js';

export type Augmentation = Pick<EvaluatorTrainingConfig['data'], 'flip' | 'shift' | 'colour'>;

/** A picture [height, width, 3] in [-1, 1], mirrored, moved and tinted as `stream` draws: always as many numbers. */
export function augmented(
  image: Pick<CaptionedImage, 'width' | 'height' | 'pixels'>,
  { flip, shift, colour }: Augmentation,
  stream: PhiloxStream,
): Float32Array {
  const isFlipped = stream.uniform() < 0.5 && flip;
  const [down, right] = [stream.integer(2 * shift + 1) - shift, stream.integer(2 * shift + 1) - shift];
  const spread = () => colour * (2 * stream.uniform() - 1);
  const brightness = 2 * spread();
  const gains = [1 + spread(), 1 + spread(), 1 + spread()];
  const { data, width, height } = imageOf(image);
  const source = isFlipped ? flipHorizontally({ data, width, channels: 3 }) : data;
  const result = new Float32Array(source.length);
  for (let y = 0, at = 0; y < height; y++) {
    const row = clamp(y - down, height) * width;
    for (let x = 0; x < width; x++) {
      const from = 3 * (row + clamp(x - right, width));
      for (let c = 0; c < 3; c++, at++) {
        result[at] = Math.min(1, Math.max(-1, source[from + c] * gains[c] + brightness));
      }
    }
  }
  return result;
}

function clamp(at: number, length: number): number {
  return Math.min(length - 1, Math.max(0, at));
}
