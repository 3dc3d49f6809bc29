import {
  adamw,
  type Compiled,
  compile,
  constant,
  createVariable,
  f32,
  gather,
  grad,
  i32,
  type Kernel,
  OutOfMemoryError,
  select,
  type Tensor,
  type TensorSpec,
  writeRows,
} from '../index.js';
import { openInterpreter } from '../testing/interpreter.js';

type Inputs = Record<string, TensorSpec>;

/** Compiles a function without state; its kernels tell what the compiler made of it. */
async function kernelsOf<I extends Inputs>(
  inputs: I,
  fn: (inputs: { [Key in keyof I]: Tensor }) => Tensor | Tensor[],
  limits = {},
): Promise<Kernel[]> {
  const backend = openInterpreter(limits);
  const { program } = await compile({
    backend,
    name: 'test',
    inputs,
    fn: (tensors) => ({ outputs: fn(tensors as { [Key in keyof I]: Tensor }) }),
  });
  return program.kernels;
}

const kinds = (kernels: readonly Kernel[]) => kernels.map(({ kind }) => kind);
const instructions = (kernel: Kernel) =>
  kernel.kind === 'elementwise' || kernel.kind === 'reduce' ? kernel.expression.map(({ op }) => op) : [];

describe('fusion', () => {
  test('a chain of elementwise operations is one kernel that reads each operand once', async () => {
    const kernels = await kernelsOf({ x: f32(8, 16), y: f32(16) }, ({ x, y }) => x.mul(y).add(x).silu().sub(y));
    expect(kinds(kernels)).toEqual(['elementwise']);
    expect(instructions(kernels[0]).filter((op) => op === 'load').length).toBe(2);
    expect(kernels[0]).toMatchObject({ shape: [8, 16] });
  });

  test('an elementwise chain is computed inside the reduction that uses it', async () => {
    const kernels = await kernelsOf({ x: f32(8, 16), y: f32(8, 16) }, ({ x, y }) => x.sub(y).square().mean(1));
    expect(kinds(kernels)).toEqual(['reduce', 'elementwise']);
    expect(instructions(kernels[0])).toEqual(['load', 'load', 'sub', 'mul']);
  });

  test('bias, activation and residual join the matrix product', async () => {
    const kernels = await kernelsOf(
      { x: f32(4, 5, 8), w: f32(16, 8), b: f32(16), r: f32(4, 5, 16) },
      ({ x, w, b, r }) => x.matmul(w, { transposeB: true }).add(b).silu().add(r),
    );
    expect(kinds(kernels)).toEqual(['matmul']);
    const [kernel] = kernels;
    expect(kernel).toMatchObject({ batch: 1, m: 20, n: 16, k: 8 });
    expect(kernel.kind === 'matmul' && kernel.epilogue?.views.map(({ strides }) => strides)).toEqual([
      [0, 0, 1],
      [0, 16, 1],
    ]);
  });

  test('a product that is needed elsewhere too is stored', async () => {
    const kernels = await kernelsOf({ x: f32(4, 8), w: f32(8, 6) }, ({ x, w }) => {
      const product = x.matmul(w);
      return [product.add(1), product.sum(0)];
    });
    expect(kinds(kernels)).toEqual(['matmul', 'elementwise', 'reduce']);
    expect(kernels[0].kind === 'matmul' && kernels[0].epilogue).toBeFalsy();
  });

  test('one kernel has at most one product', async () => {
    const kernels = await kernelsOf({ x: f32(4, 8), w: f32(8, 6), v: f32(8, 6) }, ({ x, w, v }) =>
      x.matmul(w).silu().mul(x.matmul(v)),
    );
    expect(kinds(kernels)).toEqual(['matmul', 'matmul']);
    expect(kernels.filter((kernel) => kernel.kind === 'matmul' && kernel.epilogue).length).toBe(1);
  });

  test('transposed operands of a product are not copied', async () => {
    const kernels = await kernelsOf({ x: f32(8, 4), w: f32(6, 8) }, ({ x, w }) =>
      x.matmul(w, { transposeA: true, transposeB: true }),
    );
    expect(kernels).toMatchObject([
      { kind: 'matmul', a: { transpose: true }, b: { transpose: true }, m: 4, n: 6, k: 8 },
    ]);
  });

  test('equal expressions are computed once, constants beforehand', async () => {
    const kernels = await kernelsOf({ x: f32(64) }, ({ x }) => {
      const two = constant(Float32Array.of(2), []).add(0);
      return x.exp().mul(two).add(x.exp().mul(two));
    });
    expect(kinds(kernels)).toEqual(['elementwise']);
    const names = instructions(kernels[0]);
    expect(names.filter((op) => op === 'exp').length).toBe(1);
    expect(names.filter((op) => op === 'mul').length).toBe(1);
  });

  test('no kernel reads more than the backend allows', async () => {
    for (const maxExpressionInputs of [4, 8, 16]) {
      const kernels = await kernelsOf(
        Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x${i}`, f32(9)])),
        (inputs) =>
          Object.values(inputs)
            .reduce((sum, x) => sum.mul(0.5).add(x))
            .sum(),
        { maxExpressionInputs },
      );
      const reads = kernels.map((kernel) =>
        kernel.kind === 'elementwise' || kernel.kind === 'reduce' ? kernel.inputs.length : 0,
      );
      expect(Math.max(...reads)).toBeLessThanOrEqual(maxExpressionInputs);
      expect(kernels.length).toBeLessThanOrEqual(Math.ceil(40 / (maxExpressionInputs - 1)));
    }
  });

  test('movement alone costs nothing', async () => {
    const kernels = await kernelsOf({ x: f32(4, 6), y: f32(6, 2) }, ({ x, y }) =>
      x
        .transpose()
        .slice(1, 1, 3)
        .add(y.reshape([6, 2, 1]).broadcastTo([6, 2, 3]).sum(2))
        .reshape([12]),
    );
    expect(kinds(kernels)).toEqual(['reduce', 'elementwise']);
  });
});

describe('memory', () => {
  test('a long chain of products lives in two buffers', async () => {
    const backend = openInterpreter();
    const { program } = await compile({
      backend,
      name: 'chain',
      inputs: { x: f32(32, 32), w: f32(32, 32) },
      fn: ({ x, w }) => ({ outputs: Array.from({ length: 10 }).reduce<Tensor>((h) => h.matmul(w), x) }),
    });
    expect(program.arenaBytes).toEqual([2 * 32 * 32 * 4]);
    expect(program.flops).toBe(10 * 2 * 32 ** 3);
  });

  test('refuses a buffer that no arena holds, before loading anything', async () => {
    const backend = openInterpreter({ maxArenaBytes: 4096, maxBufferBytes: 4096 });
    const attempt = compile({
      backend,
      name: 'large',
      inputs: { x: f32(64, 8) },
      fn: ({ x }) => ({ outputs: x.matmul(x, { transposeB: true }) }),
    });
    await expect(attempt).rejects.toThrow(OutOfMemoryError);
    await expect(attempt).rejects.toThrow(/needs 16.0 KiB; a buffer of this backend has at most 4.0 KiB/);
    expect(backend.programs).toEqual([]);
  });
});

describe('state', () => {
  /** Runs a function of states a and b (2x2 each) and an input once, and reads both. */
  async function step(
    fn: (a: Tensor, b: Tensor, x: Tensor) => { a?: Tensor; b?: Tensor; out?: Tensor },
  ): Promise<{ a: number[]; b: number[]; out: number[]; kernels: Kernel[] }> {
    const backend = openInterpreter();
    const state = {
      a: createVariable(backend, { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }),
      b: createVariable(backend, { shape: [2, 2], data: Float32Array.of(5, 6, 7, 8) }),
    };
    const compiled = await compile({
      backend,
      name: 'step',
      inputs: { x: f32(2, 2) },
      state,
      fn: ({ x }, { a, b }) => {
        const { out, ...updates } = fn(a, b, x);
        return { outputs: { out: out ?? x }, updates };
      },
    });
    const { out } = await compiled.run({ x: Float32Array.of(10, 20, 30, 40) });
    return {
      a: [...(await state.a.read())],
      b: [...(await state.b.read())],
      out: [...out],
      kernels: compiled.program.kernels,
    };
  }

  test('is updated in place', async () => {
    const { a, kernels } = await step((a, _, x) => ({ a: a.add(x), out: x }));
    expect(a).toEqual([11, 22, 33, 44]);
    expect(kernels.filter(({ kind }) => kind === 'elementwise').length).toBe(2); // the sum, and the output's copy
  });

  test('outputs may be old values, new values, or both', async () => {
    expect((await step((a, _, x) => ({ a: a.add(x), out: a }))).out).toEqual([1, 2, 3, 4]);
    const next = await step((a, _, x) => {
      const sum = a.add(x);
      return { a: sum, out: sum };
    });
    expect([next.a, next.out]).toEqual([
      [11, 22, 33, 44],
      [11, 22, 33, 44],
    ]);
    const both = await step((a, _, x) => ({ a: a.add(x), out: a.add(x).mul(a) }));
    expect([both.a, both.out]).toEqual([
      [11, 22, 33, 44],
      [11, 44, 99, 176],
    ]);
  });

  test('an update sees the old values of other states, whatever the order', async () => {
    const { a, b } = await step((a, b) => ({ a: a.add(b), b: a.mul(b) }));
    expect([a, b]).toEqual([
      [6, 8, 10, 12],
      [5, 12, 21, 32],
    ]);
  });

  test('swapping two states', async () => {
    const { a, b } = await step((a, b) => ({ a: b, b: a }));
    expect([a, b]).toEqual([
      [5, 6, 7, 8],
      [1, 2, 3, 4],
    ]);
  });

  test('swapping two states with arithmetic', async () => {
    const { a, b } = await step((a, b) => ({ a: b.mul(2), b: a.mul(3) }));
    expect([a, b]).toEqual([
      [10, 12, 14, 16],
      [3, 6, 9, 12],
    ]);
  });

  test('a state becomes a rearrangement of itself', async () => {
    expect((await step((a) => ({ a: a.transpose() }))).a).toEqual([1, 3, 2, 4]);
    expect((await step((a) => ({ a: a.slice(0, 1, 2).broadcastTo([2, 2]) }))).a).toEqual([3, 4, 3, 4]);
    expect((await step((a) => ({ a: a.transpose().add(a) }))).a).toEqual([2, 5, 5, 8]);
    expect((await step((a) => ({ a: a.matmul(a) }))).a).toEqual([7, 10, 15, 22]);
    expect((await step((a) => ({ a: a.sum(0, true).broadcastTo([2, 2]) }))).a).toEqual([4, 6, 4, 6]);
  });

  test('one state becomes a rearrangement of another that changes too', async () => {
    const { a, b } = await step((a, b) => ({ a: b.transpose(), b: b.add(a) }));
    expect([a, b]).toEqual([
      [5, 7, 6, 8],
      [6, 8, 10, 12],
    ]);
    const crossed = await step((a, b) => ({ a: b.transpose(), b: a.transpose() }));
    expect([crossed.a, crossed.b]).toEqual([
      [5, 7, 6, 8],
      [1, 3, 2, 4],
    ]);
  });

  test('two states receive the same value; a state receives itself or a constant', async () => {
    const { a, b } = await step((a, b) => {
      const sum = a.add(b);
      return { a: sum, b: sum };
    });
    expect([a, b]).toEqual([
      [6, 8, 10, 12],
      [6, 8, 10, 12],
    ]);
    const kept = await step((a, _, x) => ({ a, b: x.mul(0) }));
    expect([kept.a, kept.b]).toEqual([
      [1, 2, 3, 4],
      [0, 0, 0, 0],
    ]);
    expect((await step((a, b) => ({ a: b, out: a }))).a).toEqual([5, 6, 7, 8]);
  });

  test('an old value that is needed after the new one is kept in a copy', async () => {
    const { a, b, out } = await step((a, b, x) => {
      const next = a.matmul(x);
      return { a: next, b: next.sum(0, true).add(b), out: next.sum().mul(a) };
    });
    expect(a).toEqual([70, 100, 150, 220]);
    expect(b).toEqual([225, 326, 227, 328]);
    expect(out).toEqual([540, 1080, 1620, 2160]);
  });

  test('rows are written in place where the state is updated, else into a copy', async () => {
    const write = (a: Tensor, x: Tensor) => writeRows(a, constant(Int32Array.of(1, -1), [2]), x);
    const inPlace = await step((a, _, x) => {
      const next = write(a, x);
      return { a: next, out: next.add(a) };
    });
    expect([inPlace.a, inPlace.out]).toEqual([
      [1, 2, 10, 20],
      [2, 4, 13, 24],
    ]);
    const copied = await step((a, _, x) => ({ out: write(a, x) }));
    expect([copied.a, copied.out]).toEqual([
      [1, 2, 3, 4],
      [1, 2, 10, 20],
    ]);
  });

  test('a kernel never reads what it overwrites', async () => {
    const rows = constant(Int32Array.of(-1, 0), [2]);
    expect((await step((a) => ({ a: writeRows(a, rows, a) }))).a).toEqual([3, 4, 3, 4]);
    const { a } = await step((a, b) => {
      const numbers = {
        hyper: constant(Float32Array.of(0.5, 1, 1), [3]),
        gradientScale: constant(Float32Array.of(1), []),
      };
      const options = { beta1: 0, beta2: 0, epsilon: 0, weightDecay: 0 };
      return { a: adamw({ parameter: a, gradient: a, m: b, v: b.mul(0), ...numbers }, options).parameter };
    });
    expect(a).toEqual([0.5, 1.5, 2.5, 3.5]);
  });

  test('AdamW updates parameter and moments in place, after the gradients have read the parameter', async () => {
    const backend = openInterpreter();
    const create = (...data: number[]) => createVariable(backend, { shape: [2], data: Float32Array.from(data) });
    const state = { p: create(1, 2), m: create(0, 0), v: create(0, 0) };
    const compiled = await compile({
      backend,
      name: 'adamw',
      inputs: { hyper: f32(3) },
      state,
      fn: ({ hyper }, { p, m, v }) => {
        const loss = p.square().sum();
        const [gradient] = grad(loss, [p]);
        const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
        const next = adamw({ parameter: p, gradient, m, v, hyper, gradientScale: loss.mul(0).add(1) }, options);
        return { outputs: { loss }, updates: { p: next.parameter, m: next.m, v: next.v } };
      },
    });
    // Bias-corrected, the first step is lr times the gradient's sign.
    const { loss } = await compiled.run({ hyper: Float32Array.of(0.1, 0.1, 0.05) });
    expect(loss[0]).toBe(5);
    expect((await state.p.read())[0]).toBeCloseTo(0.9, 5);
    expect((await state.p.read())[1]).toBeCloseTo(1.9, 5);
    expect((await state.m.read())[1]).toBeCloseTo(0.4, 5);
    expect(
      compiled.program.buffers.filter(({ elements, storage }) => storage.kind === 'arena' && elements > 1).length,
    ).toBe(1);
  });

  test('sums of gradients are brought up to date one by one, and what they are made of is not kept', async () => {
    const backend = openInterpreter();
    const [rows, width] = [8, 16];
    const liveBytes = async (layers: number) => {
      const list = (value: number) =>
        Array.from({ length: layers }, () =>
          createVariable(backend, { shape: [width, width], data: new Float32Array(width * width).fill(value) }),
        );
      const state = { weights: list(0.01), sums: list(1) };
      const { program, run } = await compile({
        ...{ backend, name: 'accumulate', state },
        inputs: { x: f32(rows, width) },
        fn: ({ x }, { weights, sums }) => {
          const loss = weights.reduce((input, weight) => input.matmul(weight), x as Tensor).sum();
          const gradients = grad(loss, weights as Tensor[]);
          return { outputs: { loss }, updates: { sums: (sums as Tensor[]).map((sum, i) => sum.add(gradients[i])) } };
        },
      });
      await run({ x: new Float32Array(rows * width).fill(1) });
      // Every product of all ones with a matrix of c is width * c.
      const gradient = rows * (width * 0.01) ** (layers - 1);
      for (const sum of state.sums) expect((await sum.read())[5]).toBeCloseTo(1 + gradient, 5);
      return program.liveBytes;
    };
    const perLayer = ((await liveBytes(12)) - (await liveBytes(4))) / 8;
    // The input of each layer, and neither its gradient nor that of its weight.
    expect(perLayer).toBe(4 * rows * width);
  });

  test('integers move in and out of state', async () => {
    const backend = openInterpreter();
    const state = { i: createVariable(backend, { shape: [3], dtype: 'i32', data: Int32Array.of(2, 0, 1) }) };
    const compiled = await compile({
      backend,
      name: 'integers',
      inputs: { table: f32(3, 1), next: i32(3) },
      state,
      fn: ({ table, next }, { i }) => ({ outputs: { rows: gather(table, i) }, updates: { i: next } }),
    });
    const table = Float32Array.of(10, 20, 30);
    expect([...(await compiled.run({ table, next: Int32Array.of(1, 1, 1) })).rows]).toEqual([30, 10, 20]);
    expect([...(await compiled.run({ table, next: Int32Array.of(0, 0, 0) })).rows]).toEqual([20, 20, 20]);
    expect([...(await state.i.read())]).toEqual([0, 0, 0]);
  });
});

describe('what a caller gets wrong', () => {
  async function small(): Promise<Compiled<{ x: TensorSpec; nested: { ids: TensorSpec } }, { y: Tensor }>> {
    return compile({
      backend: openInterpreter(),
      name: 'small',
      inputs: { x: f32(2, 2), nested: { ids: i32(2) } },
      fn: ({ x, nested }) => ({ outputs: { y: gather(x, nested.ids) } }),
    });
  }

  test('inputs that are missing, unknown, of another type or length', async () => {
    const compiled = await small();
    const x = new Float32Array(4);
    const run = (inputs: unknown) => compiled.run(inputs as { x: Float32Array; nested: { ids: Int32Array } });
    await expect(run({ x })).rejects.toThrow("TENSOR_INPUT: small: input 'nested.ids' is missing");
    await expect(run({ x: [1, 2, 3, 4], nested: { ids: new Int32Array(2) } })).rejects.toThrow(
      /'x' is a Array\n.*Float32Array of 4/,
    );
    await expect(run({ x, nested: { ids: new Float32Array(2) } })).rejects.toThrow(
      /Float32Array of 2[\s\S]*Int32Array of 2/,
    );
    await expect(run({ x: new Float32Array(3), nested: { ids: new Int32Array(2) } })).rejects.toThrow(
      /'x' is a Float32Array of 3[\s\S]*Float32Array of 4 \(\[2, 2\]\)/,
    );
    await expect(run({ x, y: x, nested: { ids: new Int32Array(2) } })).rejects.toThrow(
      /'y' is not an input[\s\S]*x, nested.ids/,
    );
  });

  test('integer outputs, and updates of another shape', async () => {
    const backend = openInterpreter();
    const integer = compile({ backend, name: 'f', inputs: { i: i32(2) }, fn: ({ i }) => ({ outputs: { i } }) });
    await expect(integer).rejects.toThrow("TENSOR_DTYPE_MISMATCH: f: output 'i' is i32 [2]");
    const state = { a: createVariable(backend, { shape: [2] }) };
    const wrong = compile({
      backend,
      name: 'g',
      inputs: {},
      state,
      fn: (_, { a }) => ({ outputs: {}, updates: { a: a.sum(0, true) } }),
    });
    await expect(wrong).rejects.toThrow("TENSOR_SHAPE_MISMATCH: g: update of 'a' is f32 [1], the state is f32 [2]");
    expect(() => state.a.write(new Float32Array(3))).toThrow(/f32 \[2\][\s\S]*Float32Array of 3/);
    expect(() => state.a.write(new Int32Array(2))).toThrow(/Int32Array of 2/);
  });

  test('inputs and states that nothing uses are no part of the program', async () => {
    const backend = openInterpreter();
    const variable = (value: number) => createVariable(backend, { shape: [1], data: Float32Array.of(value) });
    const compiled = await compile({
      backend,
      name: 'unused',
      inputs: { a: f32(1), b: f32(1), c: f32(1) },
      state: { p: variable(1), q: variable(20), r: variable(300) },
      fn: ({ b }, { q }) => ({ outputs: { y: b.add(q) }, updates: { q: q.mul(2) } }),
    });
    const numbers = compiled.program.buffers.flatMap(({ storage }) => ('index' in storage ? [storage] : []));
    expect(numbers).toEqual(
      expect.arrayContaining([
        { kind: 'input', index: 0 },
        { kind: 'state', index: 0 },
      ]),
    );
    expect(numbers.length).toBe(2);
    const inputs = { a: Float32Array.of(5), b: Float32Array.of(6), c: Float32Array.of(7) };
    expect((await compiled.run(inputs)).y[0]).toBe(26);
    expect((await compiled.run(inputs)).y[0]).toBe(46);
  });

  test('the function is traced once', async () => {
    let calls = 0;
    const compiled = await compile({
      backend: openInterpreter(),
      name: 'once',
      inputs: { x: f32(2) },
      fn: ({ x }) => {
        calls++;
        return { outputs: { y: select(x.less(0), 0, x), list: [x.mul(2), x.sum()], nested: { deep: x.max() } } };
      },
    });
    for (let i = 1; i <= 3; i++) {
      const { y, list, nested } = await compiled.run({ x: Float32Array.of(-i, i) });
      expect([y, ...list, nested.deep].map((each) => [...each])).toEqual([[0, i], [-2 * i, 2 * i], [0], [i]]);
    }
    expect(calls).toBe(1);
  });
});
