/** @file A document: texts and images in any order, as one training example. */

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

export interface TextPart {
  kind: 'text';
  /** Token ids, BOS and EOS included where they are wanted. */
  ids: ArrayLike<number>;
}

export interface ImagePart {
  kind: 'image';
  /** The clean image, patchified: [patches, patch values] (see `patchify`). Packing adds BOI and EOI around it. */
  latents: Float32Array;
  /**
   * The image stands before the text that describes it. Its noise is capped in training, so that the text can be
   * learned from it (paper section 4.3.4, Table 8).
   */
  imageFirst?: boolean;
}

export type DocumentPart = TextPart | ImagePart;

export interface Document {
  parts: DocumentPart[];
}

export type CaptionOrder = 'caption-first' | 'image-first';

/** How many positions of a row a document takes: its tokens, and BOI, patches and EOI of every image. */
export function documentLength(document: Document, patchesPerImage: number): number {
  let length = 0;
  for (const part of document.parts) length += part.kind === 'text' ? part.ids.length : patchesPerImage + 2;
  return length;
}

/**
 * A captioned image as a document. Caption first: BOS caption BOI patches EOI EOS. Image first: BOS BOI patches EOI
 * caption EOS. `dropCaption` leaves the caption out of a caption-first document: BOS BOI patches EOI EOS, the
 * unconditional sequence of classifier-free guidance. (An image-first document keeps it: there it is the target.)
 */
export function captionDocument(options: {
  /** The caption's ids, without control tokens. */
  captionIds: ArrayLike<number>;
  /** [patches, patch values] */
  image: Float32Array;
  order: CaptionOrder;
  special: Pick<ControlTokens, 'bos' | 'eos'>;
  /** Default false. */
  dropCaption?: boolean;
}): Document {
  const { image, order, special, dropCaption = false } = options;
  const caption = Array.from(options.captionIds);
  if (order === 'image-first') {
    return {
      parts: [
        { kind: 'text', ids: [special.bos] },
        { kind: 'image', latents: image, imageFirst: true },
        { kind: 'text', ids: [...caption, special.eos] },
      ],
    };
  }
  return {
    parts: [
      { kind: 'text', ids: dropCaption ? [special.bos] : [special.bos, ...caption] },
      { kind: 'image', latents: image },
      { kind: 'text', ids: [special.eos] },
    ],
  };
}
