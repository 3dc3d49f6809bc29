/** @file @transfusion/evaluation: how good drawings, captions and texts are. */

export {
  type AttentionMaps,
  type AttentionMapsOptions,
  attentionMaps,
  type LayerAttention,
  meanOfHeads,
} from './attention/attention-maps.js';
export type {
  PatchPlace,
  PlacesTokenizer,
  SequenceImage,
  SequencePlace,
  SequencePlaces,
  TokenPlace,
} from './attention/sequence-places.js';
export { bitsPerByte, utf8Bytes } from './bits-per-byte.js';
export { captionTokens, normaliseCaption } from './caption-text.js';
export { type CiderOptions, type CiderScores, cider } from './cider.js';
export * from './encoders/index.js';
export { exactMatch } from './exact-match.js';
export {
  type FeatureStatistics,
  featureStatistics,
  type GaussianStatistics,
  mergeStatistics,
} from './feature-statistics.js';
export { type Features, featuresOf } from './features.js';
export { frechetDistance } from './frechet-distance.js';
export { placesByFeatures, placesByPixels } from './generation/picture-places.js';
export { type PlacesOptions, placesAmong } from './generation/places-among.js';
export {
  type SamplingGrid,
  type SamplingSetting,
  type SweptSetting,
  samplingSettings,
  sweepSampling,
} from './generation/sampling-sweep.js';
export { type CaptionScores, scoreWrittenCaptions } from './generation/written-captions.js';
export { kernelDistance } from './kernel-distance.js';
export { perplexity } from './perplexity.js';
export { precisionRecall } from './precision-recall.js';
export { type RetrievalScores, retrieval, retrievalByDistance } from './retrieval.js';
export { textImageAgreement } from './text-image-agreement.js';
