import { setFlagsFromString } from 'node:v8';
import { Bounds } from './bounds';
import { BYTES_PER_TURN, boundsModule } from './module';

test('the module is valid, and its loops compute', () => {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(boundsModule()), { env: { memory } });
  const { multiplyAdds, read, copy } = exports as Record<string, (argument: number) => number>;
  // Twelve chains of three times 0.5 * 0.5.
  expect(multiplyAdds(3)).toBe(9);
  new Float32Array(memory.buffer)[4] = 2.5;
  expect(read(BYTES_PER_TURN)).toBe(2.5);
  const words = new Int32Array(memory.buffer);
  const count = (3 * BYTES_PER_TURN) / 4;
  words.forEach((_, i) => {
    words[i] = i;
  });
  copy(3 * BYTES_PER_TURN);
  expect(words.slice(count, 2 * count)).toEqual(words.slice(0, count));
  expect(words[2 * count]).toBe(2 * count);
});

test('all threads run and return', () => {
  const bounds = new Bounds(1 << 20);
  bounds.multiplyAdds(1e6);
  bounds.read();
  bounds.copy();
  bounds.multiplyAdds(1);
});
