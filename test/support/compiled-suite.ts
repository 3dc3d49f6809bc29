/** @file Published values and random graphs, through the compiler and a backend. */

import { addNoise } from '@transfusion/losses';
import { adamwHyper, adamwUpdate, rmsNorm, sinusoidalEmbedding, weight } from '@transfusion/nn';
import { createObjective } from '@transfusion/schedulers';
import {
  type Backend,
  compile,
  createVariable,
  f32,
  i32,
  rope,
  ropeTable,
  scalar,
  type Tensor,
} from '@transfusion/tensor';
import fc from 'fast-check';
import {
  buildRandomProgram,
  expectedValues,
  largestError,
  leafValues,
  STATE_SHAPE,
} from '../../packages/tensor/src/testing/random-program';

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(Math.abs(actual[i] - value) / (1 + Math.abs(value))).toBeLessThan(tolerance));
}

/** @param options.programs how many random graphs to try */
export function compiledSuite(options: { open: () => Promise<Backend>; programs: number }): void {
  let backend: Backend;
  beforeAll(async () => {
    backend = await options.open();
  });
  afterAll(() => backend.dispose());

  describe('golden values', () => {
    test('RMSNorm, SiLU, the sinusoid and RoPE', async () => {
      const table = ropeTable({ positions: 8, headDim: 8 });
      const compiled = await compile({
        backend,
        name: 'layers',
        inputs: { x: f32(4), gain: f32(4), y: f32(5), t: f32(2), heads: f32(2, 1, 8), positions: i32(2) },
        fn: ({ x, gain, y, t, heads, positions }) => ({
          outputs: {
            norm: rmsNorm(gain, x, 1e-5),
            silu: y.silu(),
            sinusoid: sinusoidalEmbedding(t, 8),
            interleaved: rope(heads, positions, table),
            halves: rope(heads, positions, table, { interleaved: false }),
          },
        }),
      });
      const heads = Float32Array.from({ length: 16 }, (_, i) => (i % 8) + 1);
      const result = await compiled.run({
        x: Float32Array.of(1, -2, 3, -4),
        gain: new Float32Array(4).fill(1),
        y: Float32Array.of(-2, -1, 0, 1, 2),
        t: Float32Array.of(10, 999),
        heads,
        positions: Int32Array.of(1, 5),
      });
      compiled.dispose();
      expectClose(result.norm, [0.3651481282, -0.7302962565, 1.0954443847, -1.460592513]);
      expectClose(result.silu, [-0.238405844, -0.2689414214, 0, 0.7310585786, 1.761594156]);
      const ten = [
        -0.8390715291, 0.5403023059, 0.9950041653, 0.9999500004, -0.5440211109, 0.8414709848, 0.0998334166,
        0.0099998333,
      ];
      const last = [
        0.999649853, 0.8074586577, -0.8444696963, 0.5411435066, -0.0264607527, -0.5899241613, -0.5356033346,
        0.8409302619,
      ];
      expectClose(result.sinusoid, [...ten, ...last], 3e-5);
      const one = [
        -1.1426396637, 1.9220755965, 2.5856788292, 4.2795169111, 4.9397510021, 6.0496991692, 6.9919965013, 8.0069959988,
      ];
      const five = [
        2.2015107348, -0.3915999037, 0.7150455313, 4.9486068634, 4.6938762864, 6.2423974087, 6.9599126668, 8.0348998544,
      ];
      expectClose(result.interleaved, [...one, ...five]);
      expectClose(
        result.halves.slice(0, 8),
        [
          -3.6670526182, 1.3910078307, 2.9298511679, 3.9919980013, 3.5429825141, 6.169691825, 7.0296495029,
          8.0039959993,
        ],
      );
    });

    test('three steps of AdamW, in place', async () => {
      const create = (value: number) => createVariable(backend, { shape: [1], data: Float32Array.of(value) });
      const state = { parameters: { p: create(1) }, m: { p: create(0) }, v: { p: create(0) } };
      const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
      const compiled = await compile({
        backend,
        name: 'adamw',
        inputs: { g: f32(1), hyper: f32(3) },
        state,
        fn: ({ g, hyper }, { parameters, m, v }) => {
          const specs = { p: weight([1], 1) };
          const step = { specs, parameters, gradients: { p: g }, m, v, hyper, gradientScale: scalar(1) };
          return { outputs: {}, updates: adamwUpdate(step, options) };
        },
      });
      const expected = [0.999670000006, 0.9995594990736274, 0.9994331267674321];
      for (const [i, gradient] of [0.5, -0.25, 0.1].entries()) {
        const hyper = adamwHyper({ ...options, learningRate: 3e-4, step: i + 1 });
        await compiled.run({ g: Float32Array.of(gradient), hyper });
        expect(Math.abs((await state.parameters.p.read())[0] - expected[i])).toBeLessThan(2e-7);
      }
      compiled.dispose();
    });
  });

  test.each(['epsilon', 'sample', 'v', 'flow'] as const)(
    'training pairs of the %s objective follow the numbers of its schedule',
    async (parameterisation) => {
      const objective = createObjective({ parameterisation });
      const timesteps = [0, 250, 499, 999];
      const coefficients = timesteps.map((timestep) => objective.targetCoefficients(timestep));
      const compiled = await compile({
        backend,
        name: 'pairs',
        inputs: { latents: f32(4, 1, 2), noise: f32(4, 1, 2), coefficients: f32(4, 4) },
        fn: (inputs) => ({ outputs: addNoise(inputs) }),
      });
      const latents = Float32Array.of(0.2, -0.7, 1, 0.5, -0.3, 0.1, 0.9, -1);
      const noise = Float32Array.of(1, -0.5, 0.25, 2, -1.5, 0.75, 0.1, -0.2);
      const run = await compiled.run({ latents, noise, coefficients: Float32Array.from(coefficients.flat()) });
      compiled.dispose();
      coefficients.forEach(([signal, scale, targetSignal, targetNoise], image) => {
        for (const i of [2 * image, 2 * image + 1]) {
          const [x, e] = [latents[i], noise[i]];
          expectClose([run.noised[i]], [signal * x + scale * e]);
          expectClose([run.target[i]], [targetSignal * x + targetNoise * e]);
        }
      });
      if (parameterisation === 'v')
        expectClose(objective.targetCoefficients(499), [0.7027400589, 0.7114467018, -0.7114467018, 0.7027400589]);
    },
  );

  test('random graphs over random state', async () => {
    const program = fc.record({
      steps: fc.array(fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 31 }), fc.nat({ max: 31 })), {
        minLength: 8,
        maxLength: 30,
      }),
      outputs: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 3 }),
      updates: fc.array(fc.option(fc.nat({ max: 9 }), { freq: 5 }), { minLength: 3, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(program, async (random) => {
        const state = [0, 1, 2].map((i) => createVariable(backend, { shape: STATE_SHAPE, data: leafValues(12, i) }));
        const inputs = { x: leafValues(12, 10), y: leafValues(4, 11) };
        let leaves: Tensor[] = [];
        let built: ReturnType<typeof buildRandomProgram> = { outputs: [], updates: [] };
        const compiled = await compile({
          backend,
          name: 'random',
          inputs: { x: f32(3, 4), y: f32(4) },
          state,
          fn: ({ x, y }, states) => {
            leaves = [x, y, ...states];
            built = buildRandomProgram(random, leaves);
            return { outputs: built.outputs, updates: built.updates };
          },
        });
        const values = [inputs.x, inputs.y, ...[0, 1, 2].map((i) => leafValues(12, i))];
        const wanted = [...built.outputs, ...built.updates.map((update, i) => update ?? leaves[2 + i])];
        const expected = expectedValues(
          wanted,
          leaves.map((leaf, i) => [leaf, values[i]]),
        );
        const outputs = await compiled.run(inputs);
        const after = await Promise.all(state.map((variable) => variable.read()));
        expect(largestError([...outputs, ...after], expected)).toBeLessThan(1e-4);
        compiled.dispose();
        for (const variable of state) variable.destroy();
      }),
      { seed: 7, numRuns: options.programs },
    );
  });
}
