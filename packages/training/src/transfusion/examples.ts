/** @file The examples of a run: pictures with captions, other documents, and texts, with their token ids. */
import type {
  CaptionedImage,
  ImageRole,
  ImageStream,
  SourceDocument,
  StreamedImage,
  TextDocument,
  TextPart,
} from '@transfusion/data';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { Picture, PictureLatents } from '../latents/picture-latents.js';

/** A picture and its caption: trained on in either order, its caption dropped at times. */
export interface Example extends CaptionedImage, CaptionIds {}

/** A picture of a stream: its pixels are read when a batch comes that has it. */
export interface StreamedExample extends StreamedImage, CaptionIds {
  /** Its number among the stream's images. */
  number: number;
}

/** Pictures to train on that are not held in memory. */
export interface StreamedExamples {
  stream: ImageStream;
  examples: StreamedExample[];
}

export interface CaptionIds {
  /** Of its caption; none where it has none. */
  captionIds: number[];
  /** Of its other captions, where they are trained on. */
  otherCaptionIds?: readonly number[][];
}

/** An image of a document. */
export interface DocumentImage extends Picture {
  kind: 'image';
  role?: ImageRole;
  noiseCap?: number;
  isExact?: boolean;
}

/** Any other document: trained on as it is. */
export interface DocumentExample extends Omit<SourceDocument, 'parts'> {
  parts: (TextPart | DocumentImage)[];
}

export interface TextExample extends TextDocument {
  ids: number[];
}

/** With latents, so that batches can be made of it. */
export type TrainingExample = Example & PictureLatents;

export interface TrainingDocument extends Omit<DocumentExample, 'parts'> {
  parts: (TextPart | (DocumentImage & PictureLatents))[];
}

/** What is trained on, and what is kept for evaluation. */
export interface Split<One> {
  train: One[];
  heldOut: One[];
}

/** Other captions only where a share of the documents has them. */
export function encodeExample<Image extends StreamedImage>(
  image: Image,
  { tokenizer, otherCaptions }: { tokenizer: Tokenizer; otherCaptions: number },
): Image & CaptionIds {
  const captionIds = tokenizer.encode(image.caption ?? '');
  if (otherCaptions === 0 || image.caption === undefined || !image.otherCaptions?.length)
    return { ...image, captionIds };
  return { ...image, captionIds, otherCaptionIds: image.otherCaptions.map((caption) => tokenizer.encode(caption)) };
}

/** Token ids of the longest of its captions. */
export function longestCaption({ captionIds, otherCaptionIds = [] }: CaptionIds): number {
  return otherCaptionIds.reduce((most, { length }) => Math.max(most, length), captionIds.length);
}

export function encodeDocument({ parts, ...document }: SourceDocument, tokenizer: Tokenizer): DocumentExample {
  return {
    ...document,
    parts: parts.map((part) => {
      if (part.kind === 'image') return part;
      return { kind: 'text', ids: tokenizer.encode(part.text), loss: part.loss };
    }),
  };
}
