/** @file The examples of a run: pictures and texts with their token ids. */
import type { CaptionedImage, TextDocument } from '@transfusion/data';

export interface Example extends CaptionedImage {
  /** Of its caption; none where it has none. */
  captionIds: number[];
}

export interface TextExample extends TextDocument {
  ids: number[];
}

/** What is trained on, and what is kept for evaluation. */
export interface Split<One> {
  train: One[];
  heldOut: One[];
}
