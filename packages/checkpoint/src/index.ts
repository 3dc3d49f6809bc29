export type { Bytes } from './bytes.js';
export type { Dtype } from './dtypes.js';
export { CheckpointError, type CheckpointErrorCode } from './errors.js';
export { readSafetensors, readSafetensorsHeader, type Tensors } from './read-safetensors.js';
export type { SafetensorsHeader, TensorEntry } from './safetensors-header.js';
export { parseShardIndex } from './shard-index.js';
export { decodeText } from './text.js';
export { toFloat32 } from './to-float32.js';
export { encodeSafetensors, type TensorData, writeSafetensors } from './write-safetensors.js';
