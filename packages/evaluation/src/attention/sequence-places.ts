/** @file What stands where in a document's sequence, in words that a person reads: tokens as text, patches by row and column. */
import {
  type CodeIds,
  type Document,
  documentOfTokens,
  type ImagePart,
  type LayoutOptions,
  layOut,
} from '@transfusion/data';
import type { Tokenizer } from '@transfusion/tokenizer';

export type PlacesTokenizer = Pick<Tokenizer, 'special' | 'specialTokens' | 'decode'>;

export interface TokenPlace {
  kind: 'token';
  id: number;
  /** What it adds to the text before it, spaces included; a control token's spelling. */
  text: string;
  /** BOS, BOI, EOI and their like, which no text spells. */
  isControl: boolean;
}

export interface PatchPlace {
  kind: 'patch';
  /** Index into `images` of the sequence. */
  image: number;
  /** From the top left, from 0. */
  row: number;
  column: number;
}

export type SequencePlace = TokenPlace | PatchPlace;

/** An image of a sequence; with clean context one to denoise stands there twice. */
export interface SequenceImage {
  /** Which of the document's images it is. */
  index: number;
  /** Patches, or where images are tokens codes. */
  rows: number;
  columns: number;
  /** Its timestep; -1 is the clean image, which it also is where images are tokens. */
  timestep: number;
}

export interface SequencePlaces {
  places: SequencePlace[];
  images: SequenceImage[];
}

export interface PlacesOptions {
  document: Document;
  tokenizer: PlacesTokenizer;
  layout: LayoutOptions;
  /** Where images are tokens: their ids. */
  codes?: CodeIds;
  /** Of images to denoise. */
  timestep: number;
}

/** The places of one document, in the order of its row. */
export function sequencePlaces(options: PlacesOptions): SequencePlaces {
  const { document, layout, codes, timestep } = options;
  const pictures = document.parts.filter((part): part is ImagePart => part.kind === 'image');
  const written = codes ? documentOfTokens(document, { codes, special: layout.special }) : document;
  const { positions, images } = layOut(written, layout);
  const places = tokenPlaces(
    positions.map(({ token }) => token),
    options,
    pictures,
  );
  const columnsOf = ({ width }: ImagePart) => width / layout.patchSize;
  const shapeOf = (image: ImagePart) => ({ rows: image.height / layout.patchSize, columns: columnsOf(image) });
  if (codes) {
    return { places, images: pictures.map((image, index) => ({ index, ...shapeOf(image), timestep: -1 })) };
  }
  images.forEach(({ image, places: own }, number) => {
    own.forEach((at, patch) => {
      const [row, column] = [Math.floor(patch / columnsOf(image)), patch % columnsOf(image)];
      places[at] = { kind: 'patch', image: number, row, column };
    });
  });
  return {
    places,
    images: images.map(({ image, role }) => {
      return { index: pictures.indexOf(image), ...shapeOf(image), timestep: role === 'target' ? timestep : -1 };
    }),
  };
}

/** Tokens by their text, codes by their place in their image. */
function tokenPlaces(
  ids: readonly number[],
  { tokenizer, codes }: PlacesOptions,
  pictures: readonly ImagePart[],
): SequencePlace[] {
  const control = new Map([...tokenizer.specialTokens].map(([spelling, id]) => [id, spelling]));
  let before: number[] = [];
  let [image, code] = [-1, 0];
  return ids.map((id): SequencePlace => {
    if (codes && id >= codes.first) {
      const { width } = pictures[image];
      const at = code++;
      return { kind: 'patch', image, row: Math.floor(at / width), column: at % width };
    }
    const spelling = control.get(id);
    if (id < 0 || spelling !== undefined) {
      if (id === tokenizer.special.boi) [image, code] = [image + 1, 0];
      before = [];
      return { kind: 'token', id, text: spelling ?? '', isControl: true };
    }
    const text = tokenizer.decode([id], { context: before });
    before.push(id);
    return { kind: 'token', id, text, isControl: false };
  });
}
