/** @file Which backend a command runs on: a real GPU if there is one, else the CPU; or what the user asks for. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Backend, TransfusionError } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import type { Terminal } from './terminal.js';

export interface BackendChoice {
  backend: 'auto' | 'wasm' | 'webgpu';
  /** Refuse software adapters. */
  requireGpu?: boolean;
  /** CPU threads; default: all cores. */
  threads?: number;
}

/** What opens the backends. */
export interface BackendOpeners {
  openWasm(options: Parameters<typeof openWasm>[0]): Promise<Backend>;
  openWebGpu(options: Parameters<typeof openWebGpu>[0]): Promise<Backend>;
}

/**
 * Opens the chosen backend and names it once; where a GPU is there but cannot be used, says so.
 * @throws BackendError BACKEND_UNAVAILABLE; TransfusionError BACKEND_CHOICE
 */
export async function openBackend(
  choice: BackendChoice,
  terminal: Pick<Terminal, 'log'>,
  openers: BackendOpeners = { openWasm, openWebGpu },
): Promise<Backend> {
  const backend = await open(choice, terminal, openers);
  terminal.log(`backend: ${backend.name}, ${backend.description}${newerNode(backend, process)}`);
  return backend;
}

/** The first Node whose WebAssembly has 256-bit registers, on x64. */
const FIRST_WIDE = 24;

/** What to say of a Node that is too old for the faster kernels. */
export function newerNode(
  { name, description }: Pick<Backend, 'name' | 'description'>,
  { arch, versions }: Pick<NodeJS.Process, 'arch'> & { versions: { node: string } },
): string {
  const isOld = name === 'wasm' && description.includes('128-bit') && Number.parseInt(versions.node, 10) < FIRST_WIDE;
  return isOld && arch === 'x64'
    ? `; Node ${FIRST_WIDE} has 256-bit SIMD, up to twice as fast (this is ${versions.node})`
    : '';
}

async function open(
  { backend, requireGpu, threads }: BackendChoice,
  terminal: Pick<Terminal, 'log'>,
  openers: BackendOpeners,
): Promise<Backend> {
  if (backend === 'wasm' && requireGpu) {
    throw new TransfusionError({
      code: 'BACKEND_CHOICE',
      message: '--backend wasm runs on the CPU, --require-gpu refuses that',
      fix: 'leave one of them out',
    });
  }
  if (backend === 'wasm') return openers.openWasm({ threads });
  if (backend === 'webgpu' || requireGpu) {
    return openers.openWebGpu({ requireGpu, swiftShaderFolder: swiftShaderFolder() });
  }
  try {
    return await openers.openWebGpu({ adapter: 'hardware' });
  } catch (error) {
    if (!saysOfTheMachine(error)) throw error;
    if (!isWithoutGpu(error)) terminal.log(`there is a GPU, but it cannot be used: ${firstLine(error)}`);
    return openers.openWasm({ threads });
  }
}

/** Whether the machine has no GPU, or one that does not work. Anything else is a fault of the program. */
function saysOfTheMachine(error: unknown): error is TransfusionError {
  return TransfusionError.isInstance(error) && ['BACKEND_UNAVAILABLE', 'DEVICE_LOST'].includes(error.code);
}

/** An adapter that gives no device is the cause of the error; where there is none, nothing is. */
function isWithoutGpu({ code, cause }: TransfusionError): boolean {
  return code === 'BACKEND_UNAVAILABLE' && cause === undefined;
}

/** The message without its code and its advice, which is for those who asked for a GPU. */
function firstLine({ code, message }: TransfusionError): string {
  return message.slice(code.length + 2).split('\n', 1)[0];
}

/** The software adapter that set-up unpacked, in this folder's repository. */
function swiftShaderFolder(): string | undefined {
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    const candidate = join(folder, '.cache', 'swiftshader');
    if (existsSync(join(candidate, 'vk_swiftshader_icd.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
