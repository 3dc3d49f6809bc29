/**
 * @file A jest environment in which tests have `navigator.gpu`.
 *
 * One Dawn per worker process, imported outside jest's module registry and never let go: imported anew by each test file
 * it can crash the process while Mesa's shader cache is cold. A real GPU comes first, then the system's software Vulkan
 * driver, then the SwiftShader that `npm run setup` unpacks (in TRANSFUSION_SWIFTSHADER, or .cache/swiftshader).
 *
 * Without an adapter the tests fail, unless TRANSFUSION_SKIP_WEBGPU=1 skips them.
 */
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestEnvironment } from 'jest-environment-node';
import { create, globals } from 'webgpu';

const KEPT = Symbol.for('@transfusion/test-gpu');
const RTLD_NODELETE = 0x1000;

/**
 * Workgroup memory is not zeroed: no kernel may count on it, and SwiftShader compiles the zeroing to a store per number,
 * which takes ten times as long as the rest of a kernel.
 */
const DAWN_OPTIONS = ['enable-dawn-features=disable_workgroup_init'];

/**
 * While it waits, Dawn asks for news in every turn of the event loop, each time by a function made for it. That keeps a
 * core from the threads that compile shaders: once a millisecond, the conformance suite takes 40 % less CPU time.
 */
function slowPolling() {
  const { setImmediate } = globalThis;
  globalThis.setImmediate = (callback, ...values) =>
    callback.name === '' && values.length === 0 && isNative(callback)
      ? setTimeout(callback, 1)
      : setImmediate(callback, ...values);
}

function isNative(callback) {
  return Function.prototype.toString.call(callback).includes('[native code]');
}

/** The worker's GPU, and whether it has an adapter. */
async function workerGpu() {
  slowPolling();
  // Dawn prints a warning where there is no Vulkan loader.
  if (process.platform !== 'linux' || loadLibrary('libvulkan.so.1')) {
    const gpu = create(DAWN_OPTIONS);
    if (await gpu.requestAdapter()) return { gpu, hasAdapter: true };
  }
  // Like preloadSwiftShader() of packages/webgpu, which explains it.
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  const folder = resolve(process.env.TRANSFUSION_SWIFTSHADER ?? join(root, '.cache/swiftshader'));
  if (loadLibrary(join(folder, 'libvulkan.so.1'))) {
    process.env.VK_ICD_FILENAMES = join(folder, 'vk_swiftshader_icd.json');
    const gpu = create(DAWN_OPTIONS);
    if (await gpu.requestAdapter()) return { gpu, hasAdapter: true };
  }
  return { gpu: create(DAWN_OPTIONS), hasAdapter: false };
}

function loadLibrary(name) {
  try {
    process.dlopen({ exports: {} }, name, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return /self-register/.test(error.message);
  }
}

export default class WebGpuEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    globalThis[KEPT] ??= workerGpu();
    const { gpu, hasAdapter } = await globalThis[KEPT];
    this.skip = !hasAdapter && process.env.TRANSFUSION_SKIP_WEBGPU === '1';
    Object.assign(this.global, globals);
    Object.defineProperty(this.global, 'navigator', { value: { gpu }, configurable: true, writable: true });
  }

  handleTestEvent(event, state) {
    if (event.name === 'run_start' && this.skip) skipAll(state.rootDescribeBlock);
  }
}

function skipAll(block) {
  for (const child of block.children) {
    if (child.type === 'test') child.mode = 'skip';
    else skipAll(child);
  }
}
