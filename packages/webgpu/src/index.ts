export type { AdapterKind } from './adapter/adapter.js';
export { softwareAdapterEnvironment } from './adapter/swiftshader.js';
export type { WebGpuBackend } from './backend.js';
export { type GpuLike, type OpenWebGpuOptions, openWebGpu } from './open.js';
