import { setFlagsFromString } from 'node:v8';
import { Bounds } from './bounds';
import { BYTES_PER_TURN, boundsModule, FLOPS_PER_TURN, WIDE_FLOPS_PER_TURN } from './module';

/** The loops, and their memory, a page of zeros. */
function instantiate() {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(boundsModule()), { env: { memory } });
  return { memory, loops: exports as Record<string, (argument: number) => number> };
}

test.each([
  ['multiplyAdds', FLOPS_PER_TURN, 12],
  ['wideMultiplyAdds', WIDE_FLOPS_PER_TURN, 24],
])('%s adds a quarter a turn to every lane of its accumulators', (name, flopsPerTurn, chains) => {
  const { memory, loops } = instantiate();
  const floats = new Float32Array(memory.buffer);
  // As many as are counted, two operations each.
  const lanes = flopsPerTurn / 2;
  expect(lanes).toBe(4 * chains);
  for (const turns of [1, 3, 1000]) {
    floats.fill(-1);
    // Of 0.5 times 0.5: exact.
    expect(loops[name](turns)).toBe(turns / 4);
    expect(floats.slice(0, lanes)).toEqual(new Float32Array(lanes).fill(turns / 4));
    expect(floats[lanes]).toBe(-1);
  }
});

test('read loads all of it', () => {
  const { memory, loops } = instantiate();
  const floats = new Float32Array(memory.buffer);
  // The first lanes of all vectors are combined, so the one that is not zero shows, wherever it is.
  for (let bytes = 0; bytes < 3 * BYTES_PER_TURN; bytes += 16) {
    floats.fill(0);
    floats[bytes / 4] = 2.5;
    expect(loops.read(3 * BYTES_PER_TURN)).toBe(2.5);
  }
});

test('copy writes as much behind it, and no more', () => {
  const { memory, loops } = instantiate();
  const words = new Int32Array(memory.buffer);
  const count = (3 * BYTES_PER_TURN) / 4;
  words.forEach((_, i) => {
    words[i] = i;
  });
  loops.copy(3 * BYTES_PER_TURN);
  expect(words.slice(count, 2 * count)).toEqual(words.slice(0, count));
  expect(words[2 * count]).toBe(2 * count);
});

test('all threads run and return', () => {
  const bounds = new Bounds(1 << 20);
  bounds.multiplyAdds(1e6);
  bounds.wideMultiplyAdds(1e6);
  bounds.read();
  bounds.copy();
  bounds.multiplyAdds(1);
});
