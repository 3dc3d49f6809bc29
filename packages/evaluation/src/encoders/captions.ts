/** @file Which texts are true of a picture. */
import type { CaptionedImage } from '@transfusion/data';

/** A picture that may be told in other words too. */
export type DescribedImage = CaptionedImage & { otherCaptions?: readonly string[] };

/** All captions of a picture. */
export function captionsOf({ caption, otherCaptions = [] }: DescribedImage): Set<string> {
  return new Set(caption === undefined ? otherCaptions : [caption, ...otherCaptions]);
}
