export { CheckpointError, type CheckpointErrorCode } from './errors.js';
export { findUnknownKeys, nearestName, parseConfig, type UnknownKey } from './parse-config.js';
export {
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type TensorData,
  type Tensors,
  toFloat32,
  writeSafetensors,
} from './safetensors.js';
export type { Dtype, SafetensorsHeader, TensorEntry } from './safetensors-header.js';
