export { demoEmoji } from './demo-emoji.js';
export type {
  Document,
  DocumentPart,
  ImageGrid,
  ImagePart,
  ImageRole,
  SourceDocument,
  SourceImage,
  SourceText,
  TextPart,
} from './document.js';
export {
  type CaptionOrder,
  type ControlTokens,
  captionDocument,
  captionedLength,
  describingPrefix,
  describingPrefixLength,
  documentLength,
  drawingPrefix,
  imageLength,
  interleavedDocument,
  patchCount,
  textIds,
} from './grammar.js';
export { decodePng } from './image/decode-png.js';
export { flipHorizontally } from './image/flip.js';
export type { PngLimits } from './image/png-chunks.js';
export { centerCrop, resizeImage, squareImage } from './image/resize.js';
export { encodePng, fromBytes, imageGrid, type RgbImage, toBytes } from './image/rgb-image.js';
export { type BrokenFile, type CaptionedImage, type ImageDataset, imageOf, splitDataset } from './image-dataset.js';
export {
  type GridSlots,
  type PackedBatch,
  type PackedDocument,
  type PackedGroup,
  type PackedImage,
  type PackOptions,
  packDocuments,
} from './pack.js';
export { RandomPurpose } from './random-purpose.js';
export { type ExampleChoice, epochOrder, epochWalk, exampleSampler, splitHeldOut } from './sampling.js';
export type { TextDataset, TextDocument } from './text-dataset.js';
export { drawTimesteps } from './timesteps.js';
