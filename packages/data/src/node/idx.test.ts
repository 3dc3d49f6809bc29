import { gzipSync } from 'node:zlib';
import { TransfusionError } from '@transfusion/core';
import fc from 'fast-check';
import { parseIdx } from './idx.js';

/** An IDX file: two zeros, the type, the number of dimensions, the dimensions, the data. */
function idxOf(dims: number[], data: number[], { type = 8, rank = dims.length } = {}): Uint8Array {
  const big = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
  return Uint8Array.from([0, 0, type, rank, ...dims.flatMap(big), ...data]);
}

const where = 'train.idx';
const matrix = idxOf([2, 3], [1, 2, 3, 4, 5, 255]);
const inSharedMemory = (bytes: Uint8Array) => {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
};

describe('parseIdx', () => {
  test.each([
    ['plain', matrix],
    ['gzipped', gzipSync(matrix)],
    ['gzipped in two members', Buffer.concat([gzipSync(matrix.subarray(0, 13)), gzipSync(matrix.subarray(13))])],
    ['a Buffer', Buffer.from(matrix)],
    ['in shared memory', inSharedMemory(matrix)],
    ['gzipped, in shared memory', inSharedMemory(gzipSync(matrix))],
    ['from the middle of a buffer', Uint8Array.from([9, 9, 9, ...matrix, 9]).subarray(3, 3 + matrix.length)],
  ])('%s', (_, bytes) => {
    const { dims, data } = parseIdx(bytes, { where, rank: 2 });
    expect(dims).toEqual([2, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 255]);
  });

  test('what zlib has to inflate in many pieces', () => {
    const values = Array.from({ length: 200_000 }, (_, i) => (i * i) % 251);
    const { data } = parseIdx(gzipSync(idxOf([200_000], values)), { where, rank: 1 });
    expect(Buffer.compare(data, Uint8Array.from(values))).toBe(0);
  });

  const bomb = gzipSync(Buffer.concat([idxOf([1000], []), Buffer.alloc(50_000_000)]));
  const honestBomb = gzipSync(Buffer.concat([idxOf([50_000_000], []), Buffer.alloc(50_000_000)]));
  test.each<[string, Uint8Array, RegExp]>([
    ['0 bytes', new Uint8Array(0), /ends within its header, after 0 bytes/],
    ['half of a header', matrix.subarray(0, 11), /ends within its header, after 11 bytes/],
    ['half of a header, gzipped', gzipSync(matrix.subarray(0, 11)), /ends within its header, after 11 bytes/],
    ['no IDX file', Buffer.from('<!doctype html><title>404'), /magic number is 0x3c21646f, expected 0x00000802/],
    ['another type', idxOf([2, 3], [], { type: 13 }), /0x00000d02, expected 0x00000802/],
    ['another number of dimensions', idxOf([6, 1, 1], []), /0x00000803, expected 0x00000802: bytes of 2 dim/],
    ['truncated', matrix.subarray(0, -1), /says \[2,3\], which is a file of 18 bytes; it has 17/],
    ['too long', Uint8Array.from([...matrix, 0]), /a file of 18 bytes; it has 19/],
    ['truncated, gzipped', gzipSync(matrix.subarray(0, -1)), /a file of 18 bytes; it has 17/],
    ['truncated gzip', gzipSync(matrix).subarray(0, -9), /gzip data is damaged \(.*unexpected end of file\)/],
    ['vast', idxOf([0xffff_ffff, 0xffff_ffff], []), /says \[4294967295,4294967295\].*the most is 268435456/],
    ['a header that a gzip cannot keep', gzipSync(idxOf([5000, 5000], [])), /more than \d+ gzipped bytes can hold/],
  ])('refuses: %s', (_, bytes, message) => {
    expect(() => parseIdx(bytes, { where, rank: 2 })).toThrow(message);
    expect(() => parseIdx(bytes, { where, rank: 2 })).toThrow(/^DATA_IDX_FORMAT: train\.idx: /);
  });

  test('a wrong checksum of the gzip', () => {
    const damaged = Uint8Array.from(gzipSync(matrix));
    damaged[damaged.length - 6] ^= 1;
    expect(() => parseIdx(damaged, { where, rank: 2 })).toThrow(/DATA_IDX_FORMAT.*incorrect data check/);
  });

  test('a gzip bomb is not inflated', () => {
    const before = process.memoryUsage().arrayBuffers;
    const refusal = (bytes: Uint8Array, mostBytes?: number) => () => parseIdx(bytes, { where, rank: 1, mostBytes });
    expect(refusal(bomb)).toThrow(/inflates to more than the 1008 bytes its header says/);
    expect(refusal(honestBomb, 1_000_000)).toThrow(/says \[50000000\].*the most is 1000000/);
    // Besides the prefix of 4 KiB, which may become 4 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    expect(parseIdx(honestBomb, { where, rank: 1 }).data).toHaveLength(50_000_000);
  });

  test('arbitrary bytes give their data, or a TransfusionError', () => {
    const dim = fc.oneof(fc.nat(4), fc.nat(0xffff_ffff));
    const almost = fc
      .record({ dims: fc.array(dim, { maxLength: 4 }), data: fc.array(fc.nat(255)), type: fc.constantFrom(8, 8, 8, 9) })
      .map(({ dims, data, type }) => idxOf(dims, data, { type }));
    const whole = fc
      .array(fc.nat(3), { minLength: 1, maxLength: 3 })
      .map((dims) => idxOf(dims, new Array(dims.reduce((a, b) => a * b)).fill(7)));
    const plain = fc.oneof(fc.uint8Array(), almost, whole);
    const gzipped = fc.record({ plain, flip: fc.option(fc.nat()) }).map(({ plain, flip }) => {
      const bytes = Uint8Array.from(gzipSync(plain));
      if (flip !== null) bytes[flip % bytes.length] ^= 1 << (flip % 8);
      return bytes;
    });
    let [read, refused] = [0, 0];
    fc.assert(
      fc.property(fc.oneof(plain, gzipped), fc.integer({ min: 1, max: 3 }), (bytes, rank) => {
        try {
          const { dims, data } = parseIdx(bytes, { where, rank });
          expect(dims).toHaveLength(rank);
          expect(data).toHaveLength(dims.reduce((product, each) => product * each));
          expect(data.buffer.byteLength).toBeLessThanOrEqual(Math.max(65_536, bytes.length * 1032));
          read++;
        } catch (error) {
          if (!TransfusionError.isInstance(error)) throw error;
          expect(error.code).toBe('DATA_IDX_FORMAT');
          refused++;
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
    expect(read).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(500);
  });
});
