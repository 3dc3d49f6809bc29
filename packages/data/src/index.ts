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
export type { DocumentDataset } from './document-dataset.js';
export {
  type DocumentLayout,
  type LaidImage,
  type LaidPosition,
  type LayoutOptions,
  layOut,
} from './document-layout.js';
export { type EmojiWords, emojiCaptions } from './emoji-captions.js';
export { besideCells, emojiCells } from './emoji-cells.js';
export { type EmojiEdit, emojiEdits } from './emoji-edits.js';
export {
  type CaptionOrder,
  type ControlTokens,
  captionDocument,
  captionedLength,
  describingPrefix,
  describingPrefixLength,
  documentLength,
  drawingPrefix,
  editingPrefix,
  imageLength,
  imageOpening,
  interleavedDocument,
  patchCount,
  textIds,
  withoutTexts,
} from './grammar.js';
export type { HeldOutAs } from './held-out-as.js';
export { decodePng } from './image/decode-png.js';
export { flipHorizontally, flipVertically } from './image/flip.js';
export type { PngLimits } from './image/png-chunks.js';
export { readPngTexts } from './image/png-text.js';
export { colourise, grayscale, type Rgb, rotateHue } from './image/recolour.js';
export { centerCrop, fitImage, type ResizeFilter, resizeImage, squareImage } from './image/resize.js';
export { encodePng, fromBytes, imageGrid, type RgbImage, toBytes } from './image/rgb-image.js';
export { type ViewedPicture, viewOf } from './image/view.js';
export {
  type BrokenFile,
  type CaptionedImage,
  type ImageDataset,
  imageOf,
  splitDataset,
} from './image-dataset.js';
export {
  distinctSizes,
  findImageSizeTokens,
  formatImageSize,
  type ImageSize,
  imageSizeToken,
  imageSizeTokens,
  isSameSize,
  nearestImageSize,
  parseImageSize,
} from './image-size.js';
export { type CodeIds, codeTokens, documentOfTokens } from './image-tokens.js';
export {
  type GridSlots,
  type PackedBatch,
  type PackedDocument,
  type PackedGroup,
  type PackedImage,
  type PackOptions,
  packDocuments,
} from './pack.js';
export { type ImageReading, type PatchPlace, type PatchPlaces, patchPlaces } from './patch-places.js';
export { RandomPurpose } from './random-purpose.js';
export { type ExampleChoice, epochOrder, epochWalk, exampleSampler, splitHeldOut } from './sampling.js';
export { type ImageContext, imagesInRow, type PartSize, type Section, sectionsOf } from './sections.js';
export { squaredError } from './squared-error.js';
export { type ByteSource, memorySource } from './stream/byte-source.js';
export { type HttpSourceOptions, openHttpSource } from './stream/http-source.js';
export { ImageStream, type ImageStreamOptions, type StreamedImage } from './stream/image-stream.js';
export { openShard, type Shard, type ShardPiece } from './stream/open-shard.js';
export type { ShardIndex, ShardKind, ShardSample } from './stream/shard-index.js';
export {
  type StreamBatch,
  type StreamBatchesOptions,
  type StreamedPicture,
  type StreamState,
  streamBatches,
} from './stream/stream-batches.js';
export {
  type StreamBlock,
  type StreamOrderOptions,
  type StreamWalk,
  streamBlocks,
  streamWalk,
} from './stream/stream-order.js';
export type { TextDataset, TextDocument } from './text-dataset.js';
export { drawTimesteps } from './timesteps.js';
