/** @file Documents of texts and images, as `loadDocuments` gives them. */
import type { SourceDocument } from './document.js';
import type { BrokenFile } from './image-dataset.js';

export interface DocumentDataset {
  /** Images of the same file share one array of pixels. */
  documents: SourceDocument[];
  /** What should have been a document, and could not be used. `allowBroken` limits their share. */
  broken: BrokenFile[];
  /** Documents that are empty. */
  leftOut: BrokenFile[];
}
