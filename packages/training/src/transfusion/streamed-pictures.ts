/** @file The pictures of a stream as batches take them: pixels are read and encoded when their step comes. */
import type { StreamWalk } from '@transfusion/data';
import type { ImageCodec, LatentDistribution } from '@transfusion/vae';
import { encodeVariants } from '../latents/picture-latents.js';
import type { StreamedPictures } from './batches.js';
import type { StreamedExamples } from './examples.js';

export interface StreamedPicturesOptions extends StreamedExamples {
  /** What makes latents of pixels. */
  encoder: Pick<ImageCodec, 'encodeDistribution'>;
  flip: boolean;
  walk: StreamWalk;
}

/** Every picture is read and encoded anew in every epoch: nothing of it is kept. */
export function streamedPictures({ stream, examples, encoder, flip, walk }: StreamedPicturesOptions): StreamedPictures {
  const numbersOf = (some: readonly number[]) => some.map((example) => examples[example].number);
  return {
    async latentsOf(chosen) {
      const distinct = [...new Set(chosen)];
      const read = await stream.read(numbersOf(distinct));
      const whole = distinct.flatMap((example, i) => {
        const pixels = read[i];
        return pixels ? [{ example, picture: { ...examples[example], pixels } }] : [];
      });
      const pictures = whole.map(({ picture }) => picture);
      const encoded: readonly LatentDistribution[][] = await encodeVariants(encoder, pictures, flip);
      return new Map(whole.map(({ example }, i) => [example, encoded[i]]));
    },
    ahead(next, position) {
      stream.prefetch(numbersOf(next));
      stream.readAhead(walk, position);
    },
  };
}
