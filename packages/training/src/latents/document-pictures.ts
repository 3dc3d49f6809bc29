/** @file The pictures of documents, each once, however many documents have it. */
import type { Picture } from './picture-latents.js';

/** With the name of the first document that has it. */
export type NamedPicture = Picture & { name: string };

/** Whether texts are words or numbers yet does not matter. */
interface WithPictures {
  name: string;
  parts: readonly ({ kind: 'text' } | ({ kind: 'image' } & Picture))[];
}

export interface DocumentPictures {
  /** In the order in which documents have them. */
  pictures: NamedPicture[];
  /** Which of them an image is; undefined where no document has it. */
  numberOf(picture: Pick<Picture, 'pixels' | 'width'>): number | undefined;
}

/** Those of them that are not among pictures with captions, of which documents may be made. */
export function picturesOfTheirOwn(
  documents: readonly WithPictures[],
  captioned: readonly Pick<Picture, 'pixels' | 'width'>[],
): NamedPicture[] {
  const widths = new Map(captioned.map(({ pixels, width }) => [pixels, width]));
  return documentPictures(documents).pictures.filter(({ pixels, width }) => widths.get(pixels) !== width);
}

/** Pictures are the same where they have one array of pixels, whatever is in it, and one width. */
export function documentPictures(documents: readonly WithPictures[]): DocumentPictures {
  const pictures: NamedPicture[] = [];
  const numbers = new Map<Uint8Array, Map<number, number>>();
  for (const { name, parts } of documents) {
    for (const part of parts) {
      if (part.kind !== 'image') continue;
      const { width, height, pixels } = part;
      const byWidth = numbers.get(pixels) ?? new Map<number, number>();
      numbers.set(pixels, byWidth);
      if (byWidth.has(width)) continue;
      byWidth.set(width, pictures.length);
      pictures.push({ width, height, pixels, name });
    }
  }
  return { pictures, numberOf: ({ pixels, width }) => numbers.get(pixels)?.get(width) };
}
