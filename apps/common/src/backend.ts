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

/** Opens the chosen backend and names it once. @throws BackendError BACKEND_UNAVAILABLE */
export async function openBackend(choice: BackendChoice, terminal: Pick<Terminal, 'log'>): Promise<Backend> {
  const backend = await open(choice);
  terminal.log(`backend: ${backend.name}, ${backend.description}`);
  return backend;
}

async function open({ backend, requireGpu, threads }: BackendChoice): Promise<Backend> {
  if (backend === 'wasm' && requireGpu) {
    throw new TransfusionError({
      code: 'BACKEND_CHOICE',
      message: '--backend wasm runs on the CPU, --require-gpu refuses that',
      fix: 'leave one of them out',
    });
  }
  if (backend === 'wasm') return openWasm({ threads });
  if (backend === 'webgpu' || requireGpu) return openWebGpu({ requireGpu, swiftShaderFolder: swiftShaderFolder() });
  try {
    return await openWebGpu({ adapter: 'hardware' });
  } catch {
    return openWasm({ threads });
  }
}

/** The software adapter that set-up unpacked, in this folder's repository. */
function swiftShaderFolder(): string | undefined {
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    const candidate = join(folder, '.cache', 'swiftshader');
    if (existsSync(join(candidate, 'vk_swiftshader_icd.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
