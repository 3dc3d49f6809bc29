/** @file Where the buffers of a program are: ranges of arenas, of packed inputs and constants, and states. */
import { bufferBytes, bufferTooLarge, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { DeviceMemory, MemoryRequest } from './memory.js';
import { USAGE } from './readback.js';

export interface BufferRange {
  gpu: GPUBuffer;
  byteOffset: number;
  bytes: number;
}

/** Ranges of equal lifetime side by side in as few GPU buffers as their size limit allows. */
interface Packing {
  /** Per range, the buffer's number and the offset in it. */
  places: { pack: number; byteOffset: number }[];
  packBytes: number[];
}

function pack(sizes: number[], alignment: number, maxBytes: number): Packing {
  const packBytes: number[] = [];
  const places = sizes.map((bytes) => {
    const aligned = Math.ceil(bytes / alignment) * alignment;
    const last = packBytes.length - 1;
    if (last >= 0 && packBytes[last] + aligned <= maxBytes) {
      const byteOffset = packBytes[last];
      packBytes[last] += aligned;
      return { pack: last, byteOffset };
    }
    packBytes.push(aligned);
    return { pack: packBytes.length - 1, byteOffset: 0 };
  });
  return { places, packBytes };
}

/** The memory a program owns, and the place of each of its buffers. */
export class ProgramMemory {
  /** By position in `Program.buffers`. */
  readonly ranges: BufferRange[];
  /** By input index. */
  readonly inputs: BufferRange[];
  readonly scratch: GPUBuffer | undefined;
  readonly #memory: DeviceMemory;
  readonly #owned: GPUBuffer[] = [];

  /**
   * @param options.scratchBytes the most scratch memory any one kernel uses.
   * @throws OutOfMemoryError before anything is allocated.
   */
  constructor(options: {
    program: Program;
    states: GPUBuffer[];
    scratchBytes: number;
    memory: DeviceMemory;
    device: GPUDevice;
    limits: DeviceLimits;
  }) {
    const { program, states, scratchBytes, memory, device, limits } = options;
    const alignment = limits.minStorageBufferOffsetAlignment;
    this.#memory = memory;
    const maxBinding = limits.maxStorageBufferBindingSize;
    const size = (buffer: number) => bufferBytes(program.buffers[buffer]);
    if (scratchBytes > maxBinding) {
      const what = `program '${program.name}': scratch memory`;
      throw bufferTooLarge({ what, bytes: scratchBytes, limitBytes: maxBinding });
    }

    const inputBuffers: number[] = [];
    const constantBuffers: number[] = [];
    program.buffers.forEach(({ storage }, index) => {
      if (storage.kind === 'input') inputBuffers[storage.index] = index;
      if (storage.kind === 'constant') constantBuffers.push(index);
    });
    const maxBytes = limits.maxBufferSize;
    const inputs = pack(inputBuffers.map(size), alignment, maxBytes);
    const constants = pack(constantBuffers.map(size), alignment, maxBytes);
    const requests: MemoryRequest[] = [
      ...program.arenaBytes.map((bytes, index) => ({ name: `arena ${index}`, bytes })),
      ...inputs.packBytes.map((bytes) => ({ name: 'inputs', bytes })),
      ...constants.packBytes.map((bytes) => ({ name: 'constants', bytes })),
      ...(scratchBytes > 0 ? [{ name: 'scratch memory', bytes: scratchBytes }] : []),
    ];
    memory.require(`program '${program.name}'`, requests);

    const create = (name: string, bytes: number) => {
      const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
      const buffer = memory.create(`${program.name} ${name}`, Math.max(bytes, alignment), usage);
      this.#owned.push(buffer);
      return buffer;
    };
    const arenas = program.arenaBytes.map((bytes, index) => create(`arena ${index}`, bytes));
    const inputPacks = inputs.packBytes.map((bytes) => create('inputs', bytes));
    const constantPacks = constants.packBytes.map((bytes) => create('constants', bytes));
    this.scratch = scratchBytes > 0 ? create('scratch', scratchBytes) : undefined;

    this.ranges = program.buffers.map(({ storage }, index): BufferRange => {
      const bytes = size(index);
      switch (storage.kind) {
        case 'arena':
          return { gpu: arenas[storage.arena], byteOffset: storage.byteOffset, bytes };
        case 'state':
          return { gpu: states[storage.index], byteOffset: 0, bytes };
        case 'input': {
          const place = inputs.places[storage.index];
          return { gpu: inputPacks[place.pack], byteOffset: place.byteOffset, bytes };
        }
        case 'constant': {
          const place = constants.places[constantBuffers.indexOf(index)];
          const range = { gpu: constantPacks[place.pack], byteOffset: place.byteOffset, bytes };
          device.queue.writeBuffer(range.gpu, range.byteOffset, storage.data as Float32Array<ArrayBuffer>);
          return range;
        }
      }
    });
    this.inputs = inputBuffers.map((buffer) => this.ranges[buffer]);
  }

  destroy(): void {
    for (const buffer of this.#owned) this.#memory.destroy(buffer);
  }
}
