import { OutOfMemoryError } from '@transfusion/tensor';
import { Allocator } from './allocator.js';
import { PAGE_BYTES } from './layout.js';

const MIB = 1024 * 1024;
const allocator = (maxBytes: number) => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: maxBytes / PAGE_BYTES, shared: true });
  return { memory, allocator: new Allocator(memory, PAGE_BYTES, maxBytes) };
};

describe('allocator', () => {
  test('random allocations never overlap, are aligned, and all come back', () => {
    const { memory, allocator: subject } = allocator(64 * MIB);
    const live: { address: number; bytes: number }[] = [];
    let state = 7;
    const random = (limit: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    for (let step = 0; step < 2000; step++) {
      if (live.length > 20 && random(2) === 0) {
        subject.free(live.splice(random(live.length), 1)[0].address);
        continue;
      }
      if (live.length >= 40) continue;
      const bytes = 1 + random(MIB);
      const address = subject.allocate(bytes, 'a test');
      const inside = address >= PAGE_BYTES && address + bytes <= memory.buffer.byteLength - PAGE_BYTES;
      const apart = live.every((other) => address + bytes <= other.address || other.address + other.bytes <= address);
      if (!inside || !apart || address % 64 !== 0) throw new Error(`step ${step}: ${bytes} bytes at ${address}`);
      live.push({ address, bytes });
    }
    for (const { address } of live) subject.free(address);
    expect([subject.usedBytes, subject.blocks]).toEqual([0, 0]);
    // Everything is one free range again.
    expect(subject.allocate(62 * MIB, 'all')).toBe(PAGE_BYTES);
  });

  test('what cannot fit is refused before anything changes, with the numbers', () => {
    const { memory, allocator: subject } = allocator(8 * MIB);
    subject.allocate(2 * MIB, 'the first');
    const before = memory.buffer.byteLength;
    const attempt = () => subject.allocate(7 * MIB, "program 'train'");
    expect(attempt).toThrow(OutOfMemoryError);
    expect(attempt).toThrow(/program 'train' needs 7.0 MiB.*beside 1 blocks.*2.0 MiB of 8.0 MiB are in use/);
    expect(memory.buffer.byteLength).toBe(before);
    expect(subject.allocate(5 * MIB, 'one that fits')).toBeGreaterThan(0);
  });
});
