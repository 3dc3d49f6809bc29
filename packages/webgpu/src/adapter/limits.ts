/** @file The limits that matter here. A device gets all that its adapter has, and what uses it keeps to these. */

const NAMES = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'minStorageBufferOffsetAlignment',
] as const;

export type DeviceLimits = Record<(typeof NAMES)[number], number>;

export function limitsOf(adapter: GPUAdapter): DeviceLimits {
  return Object.fromEntries(NAMES.map((name) => [name, adapter.limits[name]])) as DeviceLimits;
}
