/** @file Texts without pictures, as `loadTexts` gives them. */
import type { BrokenFile } from './image-dataset.js';

/** One text to train on. */
export interface TextDocument {
  /** With its line breaks, as `\n`. */
  text: string;
  /** What to call it in messages: its path within the folder, and in a file of many its line. */
  name: string;
  /** Texts of one group are trained on together, or held out together. */
  group: string;
  /** Of a dataset that comes with a split of its own. */
  split?: 'train' | 'heldOut';
}

export interface TextDataset {
  texts: TextDocument[];
  /** What should have been a text, and could not be used. `allowBroken` limits their share. */
  broken: BrokenFile[];
  /** Files that were not tried, since they are nothing that the dataset takes, and texts that are empty. */
  leftOut: BrokenFile[];
}
