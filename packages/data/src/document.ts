/** @file A document: texts and images in any order, as one training example; before and after it has become numbers. */
import type { HeldOutAs } from './held-out-as.js';

export interface TextPart {
  kind: 'text';
  /** Token ids, BOS and EOS included where they are wanted. */
  ids: ArrayLike<number>;
  /** Whether the language loss counts these tokens as targets. Default true. */
  loss?: boolean;
}

/** What an image is for: to be denoised, or to be looked at, clean and without a loss. */
export type ImageRole = 'target' | 'context';

/** Of a latent image. */
export interface ImageGrid {
  height: number;
  width: number;
}

export interface ImagePart extends ImageGrid {
  kind: 'image';
  /** The clean latents, [height, width, channels]. Packing adds BOI and EOI around it. */
  latents: Float32Array;
  /** The id of the token that announces its size, which packing writes before BOI; default: nothing announces it. */
  sizeToken?: number;
  /** Default 'target'. */
  role?: ImageRole;
  /**
   * Its timesteps are drawn from below this one, an index of the noise schedule; default: from all. The paper caps images that
   * stand before the text that describes them, so that the text can be learned from them (section 4.3.4, Table 8).
   */
  noiseCap?: number;
}

export type DocumentPart = TextPart | ImagePart;

/** A document as a batch takes it. */
export interface Document {
  parts: DocumentPart[];
}

export interface SourceText {
  kind: 'text';
  text: string;
  /** Default true. */
  loss?: boolean;
}

export interface SourceImage {
  kind: 'image';
  width: number;
  height: number;
  /** [height, width, 3], red, green, blue from 0 to 255. */
  pixels: Uint8Array;
  role?: ImageRole;
  noiseCap?: number;
  /** What follows depends on where each pixel is and on its colour: it is never read in another view (`viewOf`). */
  isExact?: boolean;
}

/** A document as a dataset yields it, before there is a tokenizer or a codec. */
export interface SourceDocument {
  parts: (SourceText | SourceImage)[];
  /** What to call it in messages. */
  name: string;
  /** Documents of one group are trained on together, or held out together. */
  group: string;
  /** Of a dataset that comes with a split of its own. */
  split?: 'train' | 'heldOut';
  /** Of what is held out: see `emojiCells`. */
  heldOutAs?: HeldOutAs;
}
