export type { AdapterKind } from './adapter/adapter.js';
export { softwareAdapterEnvironment } from './adapter/swiftshader.js';
export type { WebGpuBackend } from './backend.js';
export { type GpuLike, type OpenWebGpuOptions, openWebGpu } from './open.js';
export type { TuningStore } from './tuning/store.js';
export type { TuningSummary } from './tuning/tuner.js';
