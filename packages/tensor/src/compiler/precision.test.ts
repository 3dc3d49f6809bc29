import { adamw, type Compiled, compile, createVariable, f32, grad, rmsNorm, type Tensor } from '../index.js';
import type { ProgramBuffer } from '../program/program.js';
import { openInterpreter, roundToHalf } from '../testing/interpreter.js';

const numbers = (length: number, scale: number) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(1.7 * i + scale));

/** One optimizer step of a gated two-layer network, in either precision. */
async function trainStep(precision: 'f32' | 'f16') {
  const backend = openInterpreter();
  const weights = {
    gate: createVariable(backend, { shape: [8, 12], data: numbers(96, 0.4) }),
    up: createVariable(backend, { shape: [8, 12], data: numbers(96, 0.5) }),
    down: createVariable(backend, { shape: [12, 8], data: numbers(96, 0.3) }),
  };
  const moments = Object.values(weights).map(({ shape }) => createVariable(backend, { shape }));
  const compiled = await compile({
    backend,
    name: 'step',
    precision,
    inputs: { x: f32(6, 8), target: f32(6, 8), timestep: f32(6), hyper: f32(3) },
    state: { weights, moments, squares: moments.map(({ shape }) => createVariable(backend, { shape })) },
    fn: ({ x, target, timestep, hyper }, { weights: w, moments: m, squares: v }) => {
      const angles = timestep.reshape([6, 1]).mul(1000).broadcastTo([6, 8]);
      const hidden = x.add(angles.sin()).add(angles.cos());
      const gated = hidden.matmul(w.gate).silu().mul(hidden.matmul(w.up));
      const loss = gated.matmul(w.down).sub(target).square().mean();
      const names = ['gate', 'up', 'down'] as const;
      const gradients = grad(
        loss,
        names.map((name) => w[name]),
      );
      const norm = gradients.reduce((sum: Tensor, g) => sum.add(g.square().sum()), loss.mul(0)).sqrt();
      const scale = norm.mul(0).add(1);
      const constants = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
      const next = names.map((name, i) =>
        adamw({ parameter: w[name], gradient: gradients[i], m: m[i], v: v[i], hyper, gradientScale: scale }, constants),
      );
      return {
        outputs: { loss, norm },
        updates: { weights: Object.fromEntries(names.map((name, i) => [name, next[i].parameter])) },
      };
    },
  });
  const inputs = {
    x: numbers(48, 1),
    target: numbers(48, 0.7),
    timestep: numbers(6, 0.5),
    hyper: Float32Array.of(1e-2, 0.1, 0.05),
  };
  const { loss, norm } = await compiled.run(inputs);
  return { program: compiled.program, loss: loss[0], norm: norm[0], gate: await weights.gate.read() };
}

/** The buffers at an operand of all kernels of a kind. */
function operands(
  { buffers, kernels }: Compiled<unknown, unknown>['program'],
  kind: string,
  pick: (kernel: never) => number,
) {
  return kernels
    .filter((kernel) => kernel.kind === kind)
    .map((kernel): ProgramBuffer => buffers[pick(kernel as never)]);
}

describe("precision 'f16'", () => {
  test('products read f16: activations, and one copy of each parameter', async () => {
    const { program } = await trainStep('f16');
    const read = [
      ...operands(program, 'matmul', ({ a }: { a: { buffer: number } }) => a.buffer),
      ...operands(program, 'matmul', ({ b }: { b: { buffer: number } }) => b.buffer),
    ];
    expect(read.map(({ dtype }) => dtype)).toEqual(read.map(() => 'f16'));
    const copies = program.buffers.filter(({ name, dtype }) => name === 'state' && dtype === 'f16');
    expect(copies.length).toBe(3);
  });

  test('parameters, gradients of parameters, reductions and angles stay f32', async () => {
    const { program } = await trainStep('f16');
    const wide = [
      ...operands(program, 'adamw', ({ gradient }: { gradient: number }) => gradient),
      ...operands(program, 'adamw', ({ parameter }: { parameter: number }) => parameter),
      ...operands(program, 'reduce', ({ output }: { output: number }) => output),
      ...program.outputs.map((output) => program.buffers[output]),
    ];
    expect(wide.length).toBeGreaterThanOrEqual(10);
    expect(wide.map(({ dtype }) => dtype)).toEqual(wide.map(() => 'f32'));
  });

  test('gives what f32 gives, to the precision of f16', async () => {
    const [wide, half] = [await trainStep('f32'), await trainStep('f16')];
    expect(half.loss).not.toBe(wide.loss);
    expect(Math.abs(half.loss / wide.loss - 1)).toBeLessThan(5e-3);
    expect(Math.abs(half.norm / wide.norm - 1)).toBeLessThan(1e-2);
    half.gate.forEach((value, i) => expect(Math.abs(value - wide.gate[i])).toBeLessThan(3e-3));
  });

  test('a function without products is left alone', async () => {
    const compiled = await compile({
      backend: openInterpreter(),
      name: 'plain',
      precision: 'f16',
      inputs: { x: f32(4, 8) },
      fn: ({ x }) => ({ outputs: x.sum(1).exp().add(x.sum(1).mean()) }),
    });
    expect(compiled.program.buffers.map(({ dtype }) => dtype)).not.toContain('f16');
  });

  test('statistics of norms stay f32', async () => {
    const { program } = await compile({
      backend: openInterpreter(),
      name: 'norm',
      precision: 'f16',
      inputs: { x: f32(4, 8), w: f32(8, 8), scale: f32(8) },
      fn: ({ x, w, scale }) => ({ outputs: rmsNorm(x.matmul(w), scale).matmul(w).sum() }),
    });
    const kernel = program.kernels.find(({ kind }) => kind === 'rmsNorm');
    expect(kernel?.kind === 'rmsNorm' && program.buffers[kernel.rstd].dtype).toBe('f32');
    expect(kernel?.kind === 'rmsNorm' && program.buffers[kernel.x].dtype).toBe('f16');
    expect(kernel?.kind === 'rmsNorm' && program.buffers[kernel.output].dtype).toBe('f16');
  });

  test('a backend without f16 refuses, and says what to do', async () => {
    const attempt = compile({
      backend: openInterpreter({ f16: false }),
      name: 'step',
      precision: 'f16',
      inputs: { x: f32(2) },
      fn: ({ x }) => ({ outputs: x.exp() }),
    });
    await expect(attempt).rejects.toThrow(
      /PRECISION_UNSUPPORTED: step: .*interpreter.* has no f16\n {2}fix: .*shader-f16/,
    );
  });
});

test('rounding to f16: ties to even, subnormals, overflow', () => {
  // Values of IEEE 754 binary16.
  expect(roundToHalf(1 + 2 ** -11)).toBe(1);
  expect(roundToHalf(1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
  expect(roundToHalf(0.1)).toBe(0.0999755859375);
  expect(roundToHalf(-65519)).toBe(-65504);
  expect(roundToHalf(65520)).toBe(Number.POSITIVE_INFINITY);
  expect(roundToHalf(2 ** -24)).toBe(2 ** -24);
  expect(roundToHalf(2 ** -25)).toBe(0);
  expect(roundToHalf(Number.NaN)).toBeNaN();
});
