import { setFlagsFromString } from 'node:v8';
import { Bounds } from './bounds';
import { BYTES_PER_TURN, boundsModule } from './module';

test('the module is valid, and its loops compute', () => {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(boundsModule()), { env: { memory } });
  const { multiplyAdds, read } = exports as Record<string, (argument: number) => number>;
  // Twelve chains of three times 0.5 * 0.5.
  expect(multiplyAdds(3)).toBe(9);
  new Float32Array(memory.buffer)[4] = 2.5;
  expect(read(BYTES_PER_TURN)).toBe(2.5);
});

test('all threads run and return', () => {
  const bounds = new Bounds(1 << 20);
  bounds.multiplyAdds(1e6);
  bounds.read();
  bounds.multiplyAdds(1);
});
