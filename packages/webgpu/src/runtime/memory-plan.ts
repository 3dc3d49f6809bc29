/** @file Where the buffers of a program lie: places in blocks of memory, each of which is one GPU buffer. */
import { bufferBytes, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';

export interface BufferRange {
  gpu: GPUBuffer;
  byteOffset: number;
  bytes: number;
}

/** Bytes of a block, by its number in the plan. */
export interface BlockRange {
  block: number;
  byteOffset: number;
  bytes: number;
}

export interface MemoryBlock {
  /** For messages. */
  name: string;
  bytes: number;
  /** Where it is there already: that of states. Several states may lie in one. */
  gpu?: GPUBuffer;
}

export interface MemoryPlan {
  blocks: MemoryBlock[];
  /** By position in `Program.buffers`. */
  places: BlockRange[];
}

/** Ranges of equal lifetime side by side in as few GPU buffers as their size limit allows. */
export interface Packing {
  /** Per range, the buffer's number and the offset in it. */
  places: { pack: number; byteOffset: number }[];
  packBytes: number[];
}

export function packRanges(sizes: readonly number[], alignment: number, maxBytes: number): Packing {
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

/** @param states where they lie, by index */
export function planMemory(program: Program, states: readonly BufferRange[], limits: DeviceLimits): MemoryPlan {
  const alignment = limits.minStorageBufferOffsetAlignment;
  const blocks: MemoryBlock[] = program.arenaBytes.map((bytes, index) => {
    return { name: `arena ${index}`, bytes: Math.max(bytes, alignment) };
  });
  const places: BlockRange[] = [];

  const numbers = new Map<GPUBuffer, number>();
  for (const { gpu } of states) {
    if (numbers.has(gpu)) continue;
    numbers.set(gpu, blocks.length);
    blocks.push({ name: 'states', bytes: gpu.size, gpu });
  }
  const packed = { inputs: [] as number[], constants: [] as number[] };
  program.buffers.forEach((buffer, position) => {
    const { storage } = buffer;
    const bytes = bufferBytes(buffer);
    switch (storage.kind) {
      case 'arena':
        places[position] = { block: storage.arena, byteOffset: storage.byteOffset, bytes };
        break;
      case 'state': {
        const { gpu, byteOffset } = states[storage.index];
        places[position] = { block: numbers.get(gpu)!, byteOffset, bytes };
        break;
      }
      default:
        packed[storage.kind === 'input' ? 'inputs' : 'constants'].push(position);
    }
  });
  for (const [name, positions] of Object.entries(packed)) {
    const sizes = positions.map((position) => bufferBytes(program.buffers[position]));
    const packing = packRanges(sizes, alignment, limits.maxBufferSize);
    const first = blocks.length;
    blocks.push(...packing.packBytes.map((bytes) => ({ name, bytes })));
    positions.forEach((position, i) => {
      const { pack, byteOffset } = packing.places[i];
      places[position] = { block: first + pack, byteOffset, bytes: sizes[i] };
    });
  }
  return { blocks, places };
}
