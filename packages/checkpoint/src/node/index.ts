export { FolderReader } from '../folder-reader.js';
export type { FileContent } from './durable-files.js';
export { FolderSource } from './folder-source.js';
export { locateFolder } from './folder-versions.js';
export { MetricsFile, type MetricsRecord, readMetrics } from './metrics.js';
export {
  type LoadedModel,
  loadModelFolder,
  type SaveAdapterOptions,
  type SaveModelOptions,
  saveAdapterFolder,
  saveModelFolder,
  type TensorMap,
} from './model-folder.js';
export { openCheckpoint } from './open-checkpoint.js';
export { checkWritableFile, checkWritableFolder, writeOutputFile } from './output-file.js';
export { readSafetensorsFile, SafetensorsFile } from './safetensors-file.js';
export { type WriteFolderOptions, writeFolder } from './write-folder.js';
export { writeSums } from './write-sums.js';
