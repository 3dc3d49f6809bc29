import { constant, evaluate, type Tensor } from '@transfusion/tensor';
import { createScheduler, type SchedulerOptions } from './scheduler.js';
import { expectAllClose } from './testing/expect-all-close.js';
import {
  EVALUATION_COEFFICIENTS,
  evaluationCoefficients,
  keepKnownInGraph,
  updateSampleInGraph,
} from './update-in-graph.js';
import { initialState, updateSample } from './update-sample.js';

const shape = [2, 3, 2];
const wave = (phase: number) => Float32Array.from({ length: 12 }, (_, i) => 1.5 * Math.sin(1.3 * i + phase));
const tensor = (values: ArrayLike<number>) => constant(Float32Array.from(values), shape);
const values = (...tensors: Tensor[]) => evaluate(tensors, new Map());

test.each<SchedulerOptions>([
  { type: 'ddpm', clampSample: 1 },
  { type: 'ddim', parameterisation: 'v', eta: 0.5 },
  { type: 'dpmpp_2m', parameterisation: 'sample' },
  { type: 'dpmpp_2m', clampSample: 1.5 },
  { type: 'euler', shift: 2 },
  { type: 'heun' },
])('$type in a graph is $type on the host', (options) => {
  let state = initialState(Float64Array.from(wave(0)));
  createScheduler(options)
    .plan(6)
    .evaluations.forEach((evaluation, i) => {
      const [prediction, noise] = [wave(10 + i), wave(20 + i)];
      // Both begin from the same f32 values.
      state = {
        sample: Float64Array.from(state.sample, Math.fround),
        x0: Float64Array.from(state.x0, Math.fround),
        anchor: Float64Array.from(state.anchor, Math.fround),
      };
      const after = updateSampleInGraph({
        coefficients: constant(evaluationCoefficients(evaluation), [EVALUATION_COEFFICIENTS]),
        state: { sample: tensor(state.sample), x0: tensor(state.x0), anchor: tensor(state.anchor) },
        prediction: tensor(prediction),
        noise: tensor(noise),
      });
      state = updateSample({ evaluation, state, prediction, noise });
      const [sample, x0, anchor] = values(after.sample, after.x0, after.anchor);
      expectAllClose(anchor, state.anchor, 0);
      // The coefficients are rounded to f32.
      const size = Math.max(...state.x0.map(Math.abs), ...state.sample.map(Math.abs));
      expectAllClose(x0, state.x0, 1e-6 * Math.max(1, size));
      expectAllClose(sample, state.sample, 1e-6 * Math.max(1, size));
    });
});

test('what is known is the noised original of the level, the rest stays', () => {
  const [sample, x0, noise] = [wave(1), wave(2), wave(3)];
  const known = constant(Float32Array.of(1, 0, 0, 1, 0, 1), [2, 3, 1]);
  const level = constant(Float32Array.of(0.8, 0.6), [2]);
  const [kept] = values(
    keepKnownInGraph({ level, known, sample: tensor(sample), x0: tensor(x0), noise: tensor(noise) }),
  );
  const isKnown = [0, 3, 5];
  expectAllClose(
    kept,
    sample.map((value, i) => (isKnown.includes(Math.floor(i / 2)) ? 0.8 * x0[i] + 0.6 * noise[i] : value)),
    1e-6,
  );
});
