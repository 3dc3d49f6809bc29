import fc from 'fast-check';
import { compile, createVariable, f32, type Tensor } from '../index.js';
import { openInterpreter } from '../testing/interpreter.js';
import {
  buildRandomProgram,
  expectedValues,
  largestError,
  leafValues,
  type RandomProgram,
  STATE_SHAPE,
} from '../testing/random-program.js';

const program: fc.Arbitrary<RandomProgram> = fc.record({
  steps: fc.array(fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 31 }), fc.nat({ max: 31 })), {
    minLength: 1,
    maxLength: 25,
  }),
  outputs: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 3 }),
  updates: fc.array(fc.option(fc.nat({ max: 9 }), { freq: 5 }), { minLength: 3, maxLength: 3 }),
});

/** Compiles and runs it twice, and returns the largest difference from the reference, of outputs and states. */
async function errorOf(random: RandomProgram, maxExpressionInputs: number): Promise<number> {
  const backend = openInterpreter({ maxExpressionInputs, maxArenaBytes: 8192 });
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
  let largest = 0;
  for (let run = 0; run < 2; run++) {
    const before = await Promise.all(state.map((variable) => variable.read()));
    const wanted = [...built.outputs, ...built.updates.map((update, i) => update ?? leaves[2 + i])];
    const values = [inputs.x, inputs.y, ...before];
    const expected = expectedValues(
      wanted,
      leaves.map((leaf, i) => [leaf, values[i]]),
    );
    const outputs = await compiled.run(inputs);
    const after = await Promise.all(state.map((variable) => variable.read()));
    largest = Math.max(largest, largestError([...outputs, ...after], expected));
  }
  return largest;
}

describe('compiled programs compute what the graph says', () => {
  test.each([3, 5, 16])(
    'random graphs over random state, at most %i inputs per kernel',
    async (maxExpressionInputs) => {
      await fc.assert(
        fc.asyncProperty(program, async (random) => {
          expect(await errorOf(random, maxExpressionInputs)).toBeLessThan(1e-4);
        }),
        { seed: maxExpressionInputs, numRuns: 700 },
      );
    },
  );
});
