export type { Bytes } from './bytes.js';
export type { Dtype } from './dtypes.js';
export { CheckpointError, type CheckpointErrorCode } from './errors.js';
export type { Addresses } from './file-addresses.js';
export { isFileName } from './file-names.js';
export { checkRange, type FileSource, missingFile } from './file-source.js';
export { FolderReader } from './folder-reader.js';
export { floatsToHalves, halvesToFloats } from './half.js';
export {
  contentLength,
  contentRange,
  HttpClient,
  type HttpOptions,
  PassingFault,
  passingFault,
} from './http-client.js';
export { MemorySource } from './memory-source.js';
export { readSafetensors, readSafetensorsHeader, type Tensors } from './read-safetensors.js';
export type { SafetensorsHeader, TensorEntry } from './safetensors-header.js';
export { openSafetensors, type SafetensorsReader, type StoredTensors } from './safetensors-reader.js';
export { formatSums, parseSums, type Sha256Sums, SUMS_FILE, verifiedSource } from './sha256-sums.js';
export { parseShardIndex } from './shard-index.js';
export { decodeText } from './text.js';
export { toFloat32 } from './to-float32.js';
export { UrlSource, type UrlSourceOptions } from './url-source.js';
export { weightsFingerprint } from './weights-fingerprint.js';
export {
  encodeSafetensors,
  type LazyTensor,
  type ShortDtype,
  type TensorData,
  type WritableTensor,
  writeSafetensors,
} from './write-safetensors.js';
export { encodeWeights, type WeightFile } from './write-shards.js';
