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

/**
 * Of a GPU buffer that several share, as an arena or as states side by side. Adapters say more than their drivers give: the largest
 * allocation of NVIDIA's is a little less than the 4 GiB it names. What does not fit into one goes into another.
 */
export const MOST_SHARED_BYTES = 2 ** 31;

export type DeviceLimits = Record<(typeof NAMES)[number], number>;

export function limitsOf(adapter: GPUAdapter): DeviceLimits {
  return Object.fromEntries(NAMES.map((name) => [name, adapter.limits[name]])) as DeviceLimits;
}
