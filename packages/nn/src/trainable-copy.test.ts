import { compile, constant, createVariable, evaluate, f32, grad, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { trainableCopy } from './index.js';

const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

test('what the originals give is constant: only the copy gets a gradient', () => {
  const p = { w: constant(Float32Array.of(3, -2), [2]) };
  const live = trainableCopy(p);
  // d/dw (w * stopped(w)) = w, where d/dw w^2 would be 2 w.
  const loss = live.w.mul(p.w).sum();
  expect(values(loss)).toEqual([13]);
  expect(values(grad(loss, [live.w])[0])).toEqual([3, -2]);
  expect(values(grad(p.w.mul(p.w).sum(), [live.w])[0])).toEqual([0, 0]);
});

test('nothing is computed twice', async () => {
  const backend = await openWasm({ threads: 1 });
  const state = { w: createVariable(backend, { shape: [8, 8], data: new Float32Array(64).fill(0.5) }) };
  const network = (w: Tensor, x: Tensor) => x.matmul(w).sigmoid().matmul(w);
  const flops = async (fn: (w: Tensor, x: Tensor) => Tensor) => {
    const program = await compile({
      backend,
      name: 'copies',
      inputs: { x: f32(8, 8) },
      state,
      fn: ({ x }, { w }) => ({ outputs: { y: fn(w, x) } }),
    });
    return program.program.flops;
  };
  const once = await flops((w, x) => network(w, x).square());
  const twice = await flops((w, x) => network(w, x).mul(network(trainableCopy(w), x)));
  expect(once).toBe(2 * 2 * 8 ** 3);
  expect(twice).toBe(once);
  await backend.dispose();
});
