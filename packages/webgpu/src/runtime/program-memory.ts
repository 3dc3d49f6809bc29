/** @file The memory that a loaded program owns, and the ranges of what its dispatches bind. */
import { bufferTooLarge, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { DeviceMemory, MemoryRequest } from './memory.js';
import { type BlockRange, type BufferRange, type MemoryPlan, packRanges } from './memory-plan.js';
import { USAGE } from './readback.js';

export class ProgramMemory {
  /** By position in `Program.buffers`. */
  readonly ranges: BufferRange[];
  /** By input index. */
  readonly inputs: BufferRange[];
  readonly scratch: GPUBuffer | undefined;
  readonly #blocks: GPUBuffer[];
  readonly #tables = new Map<Uint32Array<ArrayBuffer>, BufferRange>();
  readonly #memory: DeviceMemory;
  readonly #owned: GPUBuffer[] = [];

  /**
   * @param options.scratchBytes the most scratch memory any one kernel uses.
   * @param options.tables what dispatches read that never changes.
   * @throws OutOfMemoryError before anything is allocated.
   */
  constructor(options: {
    program: Program;
    plan: MemoryPlan;
    scratchBytes: number;
    tables: readonly Uint32Array<ArrayBuffer>[];
    memory: DeviceMemory;
    device: GPUDevice;
    limits: DeviceLimits;
  }) {
    const { program, plan, scratchBytes, tables, memory, device, limits } = options;
    this.#memory = memory;
    const maxBinding = limits.maxStorageBufferBindingSize;
    if (scratchBytes > maxBinding) {
      const what = `program '${program.name}': scratch memory`;
      throw bufferTooLarge({ what, bytes: scratchBytes, limitBytes: maxBinding });
    }
    const tableSizes = tables.map((table) => table.byteLength);
    const packing = packRanges(tableSizes, limits.minStorageBufferOffsetAlignment, limits.maxBufferSize);
    const requests: MemoryRequest[] = [
      ...plan.blocks.filter(({ gpu }) => !gpu),
      ...packing.packBytes.map((bytes) => ({ name: 'tables', bytes })),
      ...(scratchBytes > 0 ? [{ name: 'scratch memory', bytes: scratchBytes }] : []),
    ];
    memory.require(`program '${program.name}'`, requests);

    const create = (name: string, bytes: number) => {
      const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
      const buffer = memory.create(`${program.name} ${name}`, bytes, usage);
      this.#owned.push(buffer);
      return buffer;
    };
    this.#blocks = plan.blocks.map(({ name, bytes, gpu }) => gpu ?? create(name, bytes));
    this.scratch = scratchBytes > 0 ? create('scratch', scratchBytes) : undefined;
    const packs = packing.packBytes.map((bytes) => create('tables', bytes));
    tables.forEach((table, i) => {
      const { pack, byteOffset } = packing.places[i];
      device.queue.writeBuffer(packs[pack], byteOffset, table);
      this.#tables.set(table, { gpu: packs[pack], byteOffset, bytes: table.byteLength });
    });

    this.ranges = plan.places.map((place) => this.block(place));
    this.inputs = [];
    program.buffers.forEach(({ storage }, position) => {
      const range = this.ranges[position];
      if (storage.kind === 'input') this.inputs[storage.index] = range;
      if (storage.kind === 'constant') {
        device.queue.writeBuffer(range.gpu, range.byteOffset, storage.data as Float32Array<ArrayBuffer>);
      }
    });
  }

  block({ block, byteOffset, bytes }: BlockRange): BufferRange {
    return { gpu: this.#blocks[block], byteOffset, bytes };
  }

  table(table: Uint32Array<ArrayBuffer>): BufferRange {
    return this.#tables.get(table)!;
  }

  destroy(): void {
    for (const buffer of this.#owned) this.#memory.destroy(buffer);
  }
}
