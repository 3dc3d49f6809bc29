/**
 * @file The grammar of sequences, and all lengths that follow from it: what stands where, in training, captioning and drawing.
 *
 *     document   BOS part* EOS
 *     image      SIZE? BOI patch+ EOI
 *
 * SIZE announces the image's size, in models of several sizes; it is an ordinary token, and the target of the one before it.
 */
import { TransfusionError } from '@transfusion/core';
import type { Document, ImageGrid, ImagePart, ImageRole, TextPart } from './document.js';
import { type ImageContext, type PartSize, sectionsOf } from './sections.js';

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
    message: `an image of ${width} x ${height} does not divide into patches of ${patchSize} x ${patchSize}`,
    fix: 'choose an image size that is a multiple of the patch size',
  });
}

/** Positions of an image: SIZE where it is announced, BOI, its patches, EOI. */
export function imageLength(patches: number, announced = false): number {
  return patches + (announced ? 3 : 2);
}

/** Positions of a picture's document: BOS, its caption, the image, EOS; with clean context the noised patches too. */
export function captionedLength(options: {
  tokens: number;
  patches: number;
  announced?: boolean;
  context?: ImageContext;
}): number {
  const { tokens, patches, announced, context = 'noised' } = options;
  return tokens + imageLength(patches, announced) + 2 + (context === 'clean' ? patches : 0);
}

/** Positions that a document takes in a row. */
export function documentLength(
  document: { parts: readonly PartSize[] },
  patchSize: number,
  context?: ImageContext,
): number {
  const patchesOf = (part: PartSize) => (part.kind === 'image' ? patchCount(part, patchSize) : 0);
  const openingOf = (part: PartSize) => (part.kind === 'image' && part.sizeToken !== undefined ? 2 : 1);
  const lengthOf = (part: PartSize) => (part.kind === 'text' ? part.ids.length : openingOf(part) + patchesOf(part) + 1);
  return sectionsOf(document, context).reduce((sum, { parts, noised, isCopy }) => {
    const image = noised === undefined ? undefined : document.parts[noised];
    const before = image ? patchesOf(image) : 0;
    // A copy ends with what opens its image.
    const after = image && isCopy ? openingOf(image) : 0;
    return parts.reduce((length, part) => length + lengthOf(part), sum + before + after);
  }, 0);
}

/** A text of its own: BOS text EOS. */
export function textIds(ids: ArrayLike<number>, special: Pick<ControlTokens, 'bos' | 'eos'>): number[] {
  return [special.bos, ...Array.from(ids), special.eos];
}

/** Any interleaving of texts and images: BOS parts EOS. */
export function interleavedDocument<Part>(
  parts: readonly Part[],
  special: Pick<ControlTokens, 'bos' | 'eos'>,
): { parts: (Part | TextPart)[] } {
  const token = (id: number): TextPart => ({ kind: 'text', ids: [id] });
  return { parts: [token(special.bos), ...parts, token(special.eos)] };
}

/**
 * A document's parts without the texts that stand before its last image to denoise: its images, and what follows. Trained on now
 * and then, so that a model can be guided by the texts, as by captions (InstructPix2Pix, arXiv 2211.09800, section 3.2.1, drops its
 * instructions so). Without an image to denoise nothing is dropped.
 */
export function withoutTexts<Part extends { kind: 'text' } | { kind: 'image'; role?: ImageRole }>(
  parts: readonly Part[],
): Part[] {
  const last = parts.findLastIndex((part) => part.kind === 'image' && part.role !== 'context');
  return parts.filter((part, index) => part.kind === 'image' || index > last);
}

export type CaptionOrder = 'caption-first' | 'image-first';

/**
 * A picture with its caption as a document. Caption first: BOS caption BOI patches EOI EOS. Image first: BOS BOI patches EOI
 * caption EOS. SIZE stands before BOI where the image has a `sizeToken`. `dropCaption` leaves the caption out of a caption-first document: BOS BOI patches EOI EOS, the
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

/** What stands before an image's patches: BOI, and before it the token of its size where that is announced. */
export function imageOpening({ boi }: Pick<ControlTokens, 'boi'>, sizeToken?: number): number[] {
  return sizeToken === undefined ? [boi] : [sizeToken, boi];
}

/** What stands before an image that is to be drawn of a caption: BOS caption SIZE? BOI. Without a caption, any image. */
export function drawingPrefix(
  captionIds: ArrayLike<number>,
  special: Pick<ControlTokens, 'bos' | 'boi'>,
  sizeToken?: number,
): number[] {
  return [special.bos, ...Array.from(captionIds), ...imageOpening(special, sizeToken)];
}

/**
 * What stands around an image that is to be edited: BOS SIZE? BOI before its patches, EOI instruction SIZE? BOI after them; the
 * edited image, of the same size, follows. Without an instruction, any image that goes with it.
 */
export function editingPrefix(
  instructionIds: ArrayLike<number>,
  special: Pick<ControlTokens, 'bos' | 'boi' | 'eoi'>,
  sizeToken?: number,
): { before: number[]; after: number[] } {
  const opening = imageOpening(special, sizeToken);
  return { before: [special.bos, ...opening], after: [special.eoi, ...Array.from(instructionIds), ...opening] };
}

/** What stands around an image that is to be described: BOS SIZE? BOI before its patches, EOI after them. */
export function describingPrefix(
  special: Pick<ControlTokens, 'bos' | 'boi' | 'eoi'>,
  sizeToken?: number,
): {
  before: number[];
  after: number[];
} {
  return { before: [special.bos, ...imageOpening(special, sizeToken)], after: [special.eoi] };
}

/** Positions of an image that is to be described, and of what stands around it. */
export function describingPrefixLength(patches: number, announced = false): number {
  return 1 + imageLength(patches, announced);
}
