import { checkpoint, compile, constant, createVariable, evaluate, f32, grad, type Tensor } from '../index.js';
import { openInterpreter } from '../testing/interpreter.js';

const numbers = (length: number, scale: number) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(1.7 * i + scale));
const values = (...tensors: Tensor[]) => evaluate(tensors, new Map()).map((each) => [...each]);

describe('gradients of detached tensors', () => {
  const x = constant(Float32Array.of(3, -2), [2]);

  test('the values are the same, the gradient is that of a constant', () => {
    // d/dx x stopped(x) = x, where d/dx x^2 would be 2 x.
    const product = x.mul(x.detach()).sum();
    expect(values(product, ...grad(product, [x]))).toEqual([[13], [3, -2]]);
    expect(values(...grad(x.exp().detach().square().sum(), [x]))).toEqual([[0, 0]]);
  });

  test('what is detached can itself be differentiated with respect to', () => {
    const stopped = x.square().detach();
    expect(values(...grad(stopped.mul(x).sum(), [stopped, x]))).toEqual([
      [3, -2],
      [9, 4],
    ]);
  });

  test('straight through: one value, the gradient of another', () => {
    const rounded = x.mul(0.4).floor();
    const through = x.add(rounded.sub(x).detach());
    expect(values(through, ...grad(through.square().sum(), [x]))).toEqual([
      [1, -1],
      [2, -2],
    ]);
  });

  test('inside and outside of a checkpoint', () => {
    const network = (wrapped: (inner: () => Tensor) => Tensor) => {
      const held = x.detach();
      return grad(wrapped(() => held.mul(x.sin()).add(x.cos().detach().mul(x))).sum(), [x]);
    };
    expect(values(...network(checkpoint))).toEqual(values(...network((inner) => inner())));
  });
});

describe('a program with detached tensors', () => {
  /** A loss of a network's output and its gradient, beside what the network gives to `other` of them. */
  async function compiled(other: (hidden: Tensor) => Tensor, updated: (w: Tensor) => Tensor = (w) => w) {
    const backend = openInterpreter();
    const state = { w: createVariable(backend, { shape: [8, 8], data: numbers(64, 0.4) }) };
    const result = await compile({
      backend,
      name: 'detached',
      inputs: { x: f32(4, 8) },
      state,
      fn: ({ x }, { w }) => {
        const hidden = x.matmul(w).sigmoid();
        const loss = hidden.matmul(updated(w)).square().mean();
        const fixed = other(hidden).matmul(w).mul(2).add(1).tanh().mean();
        return { outputs: { loss, fixed, gradient: grad(loss, [w])[0] }, updates: { w: updated(w) } };
      },
    });
    return { program: result.program, outputs: await result.run({ x: numbers(32, 0.9) }) };
  }

  test('is the program without them where no gradient passes them', async () => {
    const plain = await compiled((hidden) => hidden);
    const detached = await compiled((hidden) => hidden.detach());
    expect(detached.program).toEqual(plain.program);
    expect(detached.outputs).toEqual(plain.outputs);
  });

  test('computes a network once for a loss with its gradient and for one without', async () => {
    const { program } = await compiled((hidden) => hidden.detach());
    const products = program.kernels.filter(({ kind }) => kind === 'matmul');
    // Two of the network, of which one serves both losses; three of the gradient.
    expect(products.length).toBe(5);
  });

  test('leaves a state alone that is updated to itself', async () => {
    const { program } = await compiled(
      (hidden) => hidden,
      (w) => w.detach(),
    );
    const written = program.kernels.filter((kernel) => 'output' in kernel && typeof kernel.output === 'number');
    const states = new Set(program.buffers.flatMap(({ storage }, i) => (storage.kind === 'state' ? [i] : [])));
    expect(written.some((kernel) => 'output' in kernel && states.has(kernel.output as number))).toBe(false);
  });
});
