/**
 * @file The grammar of sequences, and all lengths that follow from it: what stands where, in training, captioning and drawing.
 *
 *     document   BOS part* EOS
 *     image      BOI patch+ EOI
 */
import { TransfusionError } from '@transfusion/core';
import type { Document, DocumentPart, ImageGrid, ImagePart } from './document.js';

/** The ids of the control tokens (see `Tokenizer.special` of @transfusion/tokenizer). */
export interface ControlTokens {
  /** Starts a document. */
  bos: number;
  /** Ends a document. */
  eos: number;
  /** Stands before an image's patches. */
  boi: number;
  /** Stands after an image's patches. */
  eoi: number;
  /** Fills a row after its last document. */
  pad: number;
}

/** Patches of a latent image (the paper's n). @throws TransfusionError DATA_PATCH_SIZE: it does not divide into patches */
export function patchCount({ height, width }: ImageGrid, patchSize: number): number {
  if (height % patchSize === 0 && width % patchSize === 0) return (height / patchSize) * (width / patchSize);
  throw new TransfusionError({
    code: 'DATA_PATCH_SIZE',
    message: `an image of ${height} x ${width} does not divide into patches of ${patchSize} x ${patchSize}`,
    fix: 'choose an image size that is a multiple of the patch size',
  });
}

/** Positions of an image: BOI, its patches, EOI. */
export function imageLength(patches: number): number {
  return patches + 2;
}

/** Positions of a picture's document: BOS, its caption, the image, EOS. */
export function captionedLength({ tokens, patches }: { tokens: number; patches: number }): number {
  return tokens + imageLength(patches) + 2;
}

/** Positions of a document. */
export function documentLength({ parts }: Document, patchSize: number): number {
  return parts.reduce(
    (sum, part) => sum + (part.kind === 'text' ? part.ids.length : imageLength(patchCount(part, patchSize))),
    0,
  );
}

/** A text of its own: BOS text EOS. */
export function textIds(ids: ArrayLike<number>, special: Pick<ControlTokens, 'bos' | 'eos'>): number[] {
  return [special.bos, ...Array.from(ids), special.eos];
}

/** Any interleaving of texts and images: BOS parts EOS. */
export function interleavedDocument(
  parts: readonly DocumentPart[],
  special: Pick<ControlTokens, 'bos' | 'eos'>,
): Document {
  const token = (id: number): DocumentPart => ({ kind: 'text', ids: [id] });
  return { parts: [token(special.bos), ...parts, token(special.eos)] };
}

export type CaptionOrder = 'caption-first' | 'image-first';

/**
 * A picture with its caption as a document. Caption first: BOS caption BOI patches EOI EOS. Image first: BOS BOI patches EOI
 * caption EOS. `dropCaption` leaves the caption out of a caption-first document: BOS BOI patches EOI EOS, the
 * unconditional sequence of classifier-free guidance. (An image-first document keeps it: there it is the target.)
 */
export function captionDocument(options: {
  /** The caption's ids, without control tokens. */
  captionIds: ArrayLike<number>;
  image: Omit<ImagePart, 'kind'>;
  order: CaptionOrder;
  special: Pick<ControlTokens, 'bos' | 'eos'>;
  /** Default false. */
  dropCaption?: boolean;
  /** Noise cap of the image where it comes first (see `ImagePart.noiseCap`); default: the image's own, if it has one. */
  imageFirstCap?: number;
}): Document {
  const { order, special, dropCaption = false, imageFirstCap } = options;
  const caption = Array.from(options.captionIds);
  const image: ImagePart = { kind: 'image', ...options.image };
  if (order === 'image-first') {
    return {
      parts: [
        { kind: 'text', ids: [special.bos] },
        { ...image, noiseCap: imageFirstCap ?? image.noiseCap },
        { kind: 'text', ids: [...caption, special.eos] },
      ],
    };
  }
  return {
    parts: [
      { kind: 'text', ids: dropCaption ? [special.bos] : [special.bos, ...caption] },
      image,
      { kind: 'text', ids: [special.eos] },
    ],
  };
}

/** What stands before an image that is to be drawn of a caption: BOS caption BOI. Without a caption, any image. */
export function drawingPrefix(captionIds: ArrayLike<number>, special: Pick<ControlTokens, 'bos' | 'boi'>): number[] {
  return [special.bos, ...Array.from(captionIds), special.boi];
}

/** What stands around an image that is to be described: BOS BOI before its patches, EOI after them. */
export function describingPrefix({ bos, boi, eoi }: Pick<ControlTokens, 'bos' | 'boi' | 'eoi'>): {
  before: number[];
  after: number[];
} {
  return { before: [bos, boi], after: [eoi] };
}

/** Positions of an image that is to be described, and of what stands around it. */
export function describingPrefixLength(patches: number): number {
  return 1 + imageLength(patches);
}
