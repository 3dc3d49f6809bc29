/** @file What `auto` falls back from, what it says then, and what it lets through. */
import { type Backend, BackendError, OutOfMemoryError } from '@transfusion/tensor';
import { openWebGpu } from '@transfusion/webgpu';
import { type BackendChoice, type BackendOpeners, newerNode, openBackend } from './backend.js';

const named = (name: string) => ({ name, description: `as ${name}` }) as Backend;

/** Opens with an `openWebGpu` of the test's own; gives the backend's name, what was asked for, and what was said. */
async function opened(choice: BackendChoice, openGpu: BackendOpeners['openWebGpu']) {
  const log: string[] = [];
  const asked: { webgpu: unknown[]; wasm: unknown[] } = { webgpu: [], wasm: [] };
  const openers: BackendOpeners = {
    async openWebGpu(options) {
      asked.webgpu.push(options);
      return openGpu(options);
    },
    async openWasm(options) {
      asked.wasm.push(options);
      return named('wasm');
    },
  };
  const { name } = await openBackend(choice, { log: (line) => void log.push(line) }, openers);
  return { name, log, asked };
}

test('a newer Node is named where it would be faster', () => {
  const hint = (name: string, description: string, arch: NodeJS.Architecture, node: string) =>
    newerNode({ name, description }, { arch, versions: { node } });
  const narrow = 'WebAssembly on the CPU: 2 threads, 128-bit relaxed SIMD';
  expect(hint('wasm', narrow, 'x64', '20.19.0')).toBe(
    '; Node 24 has 256-bit SIMD, up to twice as fast (this is 20.19.0)',
  );
  expect(hint('wasm', narrow.replace('128', '256'), 'x64', '22.0.0')).toBe('');
  // A processor without 256-bit registers.
  expect(hint('wasm', narrow, 'x64', '24.1.0')).toBe('');
  expect(hint('wasm', narrow, 'arm64', '20.19.0')).toBe('');
  expect(hint('webgpu', narrow, 'x64', '20.19.0')).toBe('');
});

const failing = (error: unknown) => () => Promise.reject(error);

/** The real opener on an adapter that calls itself a GPU. */
function onAdapter(requestDevice: () => Promise<unknown>): BackendOpeners['openWebGpu'] {
  const info = { vendor: 'acme', architecture: '', device: '', description: 'Acme 9000', isFallbackAdapter: false };
  const limits = { maxBufferSize: 1024 };
  const adapter = { info, limits, features: new Set<string>(), requestDevice };
  return (options) => openWebGpu({ ...options, gpu: { requestAdapter: async () => adapter } });
}

test('a GPU that works is taken, and named', async () => {
  const { name, log, asked } = await opened({ backend: 'auto', threads: 3 }, async () => named('webgpu'));
  expect([name, log]).toEqual(['webgpu', ['backend: webgpu, as webgpu']]);
  expect(asked).toEqual({ webgpu: [{ adapter: 'hardware' }], wasm: [] });
});

test('no adapter: the CPU, with the threads asked for, and no word but its name', async () => {
  const none = (options?: object) => openWebGpu({ ...options, gpu: { requestAdapter: async () => null } });
  const { name, log, asked } = await opened({ backend: 'auto', threads: 3 }, none);
  expect([name, log]).toEqual(['wasm', ['backend: wasm, as wasm']]);
  expect(asked.wasm).toEqual([{ threads: 3 }]);
});

test('a software adapter alone is no GPU', async () => {
  const info = { vendor: 'google', architecture: 'swiftshader', device: '', description: '' };
  const software = { requestAdapter: async () => ({ info }) };
  const { name, log } = await opened({ backend: 'auto' }, (options) => openWebGpu({ ...options, gpu: software }));
  expect([name, log]).toEqual(['wasm', ['backend: wasm, as wasm']]);
});

test('a GPU that gives no device: the CPU, and one line that says why', async () => {
  const tooSmall = Object.assign(new Error('maxBufferSize of 1024 is below 268435456'), { name: 'OperationError' });
  const { name, log } = await opened({ backend: 'auto' }, onAdapter(failing(tooSmall)));
  expect(name).toBe('wasm');
  expect(log).toEqual([
    'there is a GPU, but it cannot be used: Acme 9000 (acme) gave no device: maxBufferSize of 1024 is below 268435456',
    'backend: wasm, as wasm',
  ]);
});

test('a GPU that is lost while it is opened: the CPU, and why, without the advice for later losses', async () => {
  const lost = new BackendError({ code: 'DEVICE_LOST', message: 'Acme was lost (unknown)', fix: 'open another' });
  const { name, log } = await opened({ backend: 'auto' }, failing(lost));
  expect([name, log[0]]).toEqual(['wasm', 'there is a GPU, but it cannot be used: Acme was lost (unknown)']);
});

test.each([
  ['a mistake of the program', new TypeError('x is not a function')],
  ['memory that is not there', new OutOfMemoryError({ message: 'no memory' })],
  ['a kernel that does not compile', new BackendError({ code: 'KERNEL_FAILED', message: 'bad WGSL' })],
  ['something that is no error', 'boo'],
])('%s is let through', async (_, error) => {
  await expect(opened({ backend: 'auto' }, failing(error))).rejects.toBe(error);
});

test('a mistake after the device is there is let through as what it is', async () => {
  // No features, no queue, no events: nothing that a device has.
  await expect(
    opened(
      { backend: 'auto' },
      onAdapter(async () => ({})),
    ),
  ).rejects.toThrow(/^Cannot read properties of undefined/);
});

test.each<BackendChoice>([{ backend: 'webgpu' }, { backend: 'auto', requireGpu: true }])(
  'who asks for a GPU gets one or the reason: %j',
  async (choice) => {
    const none = new BackendError({ code: 'BACKEND_UNAVAILABLE', message: 'none' });
    await expect(opened(choice, failing(none))).rejects.toBe(none);
  },
);
