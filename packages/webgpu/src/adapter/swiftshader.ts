/** @file SwiftShader, a Vulkan driver on the CPU, out of a folder: for testing WGSL where there is no GPU. Node only. */

const LOADER = 'libvulkan.so.1';
const DRIVER = 'vk_swiftshader_icd.json';

/** glibc's and musl's flag that keeps a library loaded when it is closed. */
const RTLD_NODELETE = 0x1000;

/** Full paths of the folder's Vulkan loader and driver manifest, where the folder has them. */
function swiftShaderFiles(folder: string): { loader: string; driver: string } | undefined {
  if (typeof process === 'undefined' || process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const { existsSync } = process.getBuiltinModule('node:fs');
  const { resolve } = process.getBuiltinModule('node:path');
  const files = { loader: resolve(folder, LOADER), driver: resolve(folder, DRIVER) };
  return existsSync(files.loader) && existsSync(files.driver) ? files : undefined;
}

/**
 * The variables to start a child process with (a browser, another Node) so that its Vulkan finds SwiftShader and nothing
 * else. `undefined` where the folder has no SwiftShader for this system (Linux on x64).
 */
export function softwareAdapterEnvironment(folder: string): Record<string, string> | undefined {
  const files = swiftShaderFiles(folder);
  if (!files) return undefined;
  const { dirname } = process.getBuiltinModule('node:path');
  const searched = [dirname(files.loader), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { LD_LIBRARY_PATH: searched, VK_ICD_FILENAMES: files.driver };
}

/**
 * Makes this very process find SwiftShader when it next opens Vulkan, without restarting it: the library path is read
 * when a process starts, but a library already in memory is found by its name.
 *
 * @returns false where the folder has no SwiftShader for this system.
 */
export function preloadSwiftShader(folder: string): boolean {
  const files = swiftShaderFiles(folder);
  if (!files || !loadLibrary(files.loader)) return false;
  process.env.VK_ICD_FILENAMES = files.driver;
  return true;
}

/** Whether Dawn can load Vulkan here. True where it uses another API. */
export function systemHasVulkan(): boolean {
  return process.platform !== 'linux' || loadLibrary(LOADER);
}

/** Loads a library for good; whether it is there. */
function loadLibrary(name: string): boolean {
  const { constants } = process.getBuiltinModule('node:os');
  try {
    process.dlopen({ exports: {} }, name, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    // It is no Node addon, which Node says once it has loaded it.
    return error instanceof Error && /self-register/.test(error.message);
  }
}
