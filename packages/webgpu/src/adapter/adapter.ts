/** @file What an adapter is, for people and for the choice of kernels. */

export type AdapterKind = 'hardware' | 'software';

const SOFTWARE_NAMES = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp/i;

export function adapterKind(adapter: GPUAdapter): AdapterKind {
  const { info } = adapter;
  const names = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || SOFTWARE_NAMES.test(names) ? 'software' : 'hardware';
}

/** e.g. `SwiftShader driver 5.0.0 (google swiftshader)`. Browsers leave some of these out. */
export function adapterName(adapter: GPUAdapter): string {
  const { vendor, architecture, device, description } = adapter.info;
  const family = [vendor, architecture].filter(Boolean).join(' ');
  const name = description || device;
  if (name && family) return `${name} (${family})`;
  return name || family || 'an adapter that does not tell its name';
}
