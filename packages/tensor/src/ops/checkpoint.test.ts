import {
  checkpoint,
  compile,
  constant,
  createVariable,
  evaluate,
  f32,
  grad,
  randomNormal,
  type Tensor,
} from '../index.js';
import { openInterpreter } from '../testing/interpreter.js';

const numbers = (length: number, scale: number) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(1.3 * i + scale));

type Layer = (x: Tensor, weight: Tensor) => Tensor;

/** Two products with something between them: 3 intermediate results. */
const layer: Layer = (x, weight) => x.add(x.matmul(weight).sin().matmul(weight, { transposeB: true }).tanh());

/** A chain of layers and a loss, with its gradients. */
async function chain(depth: number, wrapped: (layer: () => Tensor) => Tensor) {
  const backend = openInterpreter();
  const weights = Array.from({ length: depth }, (_, i) =>
    createVariable(backend, { shape: [8, 24], data: numbers(192, 0.2 + 0.01 * i) }),
  );
  const compiled = await compile({
    backend,
    name: 'chain',
    inputs: { x: f32(16, 8) },
    state: { weights },
    fn: ({ x }, { weights: w }) => {
      const output = w.reduce<Tensor>((h, weight) => wrapped(() => layer(h, weight)), x);
      const loss = output.square().mean();
      const gradients = grad(loss, [...w, x]);
      return { outputs: { loss, gradients } };
    },
  });
  const { program } = compiled;
  return { results: await compiled.run({ x: numbers(128, 0.6) }), program };
}

const kept = (inner: () => Tensor) => inner();

describe('checkpoint', () => {
  test('gives what is had without it, but for the roundings of other kernels', async () => {
    const [plain, checkpointed] = [await chain(5, kept), await chain(5, checkpoint)];
    const flat = ({ results: { loss, gradients } }: typeof plain) => [loss, ...gradients].flatMap((each) => [...each]);
    const expected = flat(plain);
    flat(checkpointed).forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(1e-6));
  });

  test('keeps a layer instead of all of them, and computes them a second time', async () => {
    const bytes = async (depth: number, wrapped: typeof kept) =>
      (await chain(depth, wrapped)).program.arenaBytes.reduce((sum, size) => sum + size, 0);
    const perLayer = async (wrapped: typeof kept) => ((await bytes(16, wrapped)) - (await bytes(8, wrapped))) / 8;
    const [plain, checkpointed] = [await perLayer(kept), await perLayer(checkpoint)];
    // A gradient of the weight (768 bytes) and the layer's input (512) have to stay; 24 columns of 16 rows twice do not.
    expect(checkpointed).toBeLessThan(768 + 512 + 128);
    expect(plain).toBeGreaterThan(checkpointed + 16 * 24 * 4);
    const products = async (wrapped: typeof kept) =>
      (await chain(4, wrapped)).program.kernels.filter(({ kind }) => kind === 'matmul').length;
    // The last product of a layer is needed again too, for the gradient of tanh.
    expect((await products(checkpoint)) - (await products(kept))).toBe(4 * 2);
  });

  test('one inside another, and tensors from outside, get the same gradients', () => {
    const x = constant(numbers(6, 1), [2, 3]);
    const w = constant(numbers(9, 0.5), [3, 3]);
    const gradients = (wrapped: typeof kept) => {
      const shift = w.sum(0);
      const output = wrapped(() => {
        const inner = wrapped(() => x.matmul(w).sin());
        return inner.mul(inner).add(shift).tanh();
      });
      return evaluate(grad(output.mul(x).sum(), [x, w, shift]), new Map());
    };
    expect(gradients(checkpoint)).toEqual(gradients(kept));
  });

  test('random numbers repeat', async () => {
    const seed = constant(Int32Array.of(1, 2, 3, 4), [4]);
    const gradient = async (wrapped: typeof kept) => {
      const x = constant(numbers(8, 1), [8]);
      const noisy = wrapped(() => x.mul(randomNormal({ seed, shape: [8], stream: 1 })).square());
      return evaluate(grad(noisy.sum(), [x]), new Map());
    };
    expect(await gradient(checkpoint)).toEqual(await gradient(kept));
  });

  test('a function that computes nothing is itself', () => {
    const x = constant(numbers(3, 1), [3]);
    expect(checkpoint(() => x)).toBe(x);
  });
});
