/** @file Other views of the pictures that are read: what a caption follows, and what an edit is given. */
import { viewOf } from '@transfusion/data';
import { documentPictures, type NamedPicture } from './document-pictures.js';
import type { Picture } from './picture-latents.js';

export interface Role {
  role?: string;
  isExact?: boolean;
}

export interface WithRoles {
  name: string;
  parts: readonly ({ kind: 'text' } | ({ kind: 'image' } & Role & Picture))[];
}

/** Whether an image of a document is read, and may be read in other views. */
export function hasViews({ role, isExact = false }: Role): boolean {
  return role === 'context' && !isExact;
}

export interface PictureViews {
  /** `count` of each picture, one after the other; the pixels of each are computed when they are asked for. */
  pictures: readonly NamedPicture[];
  /** Which of them are of a picture: [begin, end); undefined where it is never read. */
  rangeOf(picture: Pick<Picture, 'pixels' | 'width'>): [begin: number, end: number] | undefined;
}

/**
 * @param options.examples with captions that may follow them
 * @param options.documents of which pictures are a context
 * @param options.count views of each picture
 */
export function pictureViews(options: {
  examples: readonly NamedPicture[];
  documents: readonly WithRoles[];
  count: number;
}): PictureViews {
  const { examples, documents, count } = options;
  if (count === 0) return { pictures: [], rangeOf: () => undefined };
  const ofDocuments = documents.map(({ name, parts }) => {
    return { name, parts: parts.filter((part) => part.kind === 'image' && hasViews(part)) };
  });
  const asParts = examples.map((picture) => ({ name: picture.name, parts: [{ kind: 'image' as const, ...picture }] }));
  const { pictures, numberOf } = documentPictures([...asParts, ...ofDocuments]);
  return {
    pictures: pictures.flatMap((picture) => Array.from({ length: count }, (_, number) => lazyView(picture, number))),
    rangeOf(picture) {
      const number = numberOf(picture);
      return number === undefined ? undefined : [number * count, (number + 1) * count];
    },
  };
}

function lazyView(picture: NamedPicture, number: number): NamedPicture {
  const { width, height, name } = picture;
  return {
    ...{ width, height, name: `${name}, view ${number + 1}` },
    get pixels() {
      return viewOf(picture, number);
    },
  };
}
