import { compile, constant, createVariable, f32, grad, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { openInterpreter } from '../../tensor/src/testing/interpreter.js';
import { feedForward, modalitiesOf } from './feed-forward.js';

const [CHANNELS, HIDDEN] = [8, 12];
/** Two rows of six positions; images of two patches and of one, and a slot that is not used. */
const isPatch = [0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0];
const ints = (data: number[], shape: number[]) => constant(Int32Array.from(data), shape);
const groups = [
  {
    patchIndex: ints([-1, 0, 1, -1, -1, -1, -1, -1, 2, 3, -1, -1], [2, 6]),
    patchPositions: ints([1, 2, 8, 9, -1, -1], [3, 2]),
  },
  { patchIndex: ints([-1, -1, -1, -1, -1, 0, ...new Array(6).fill(-1)], [2, 6]), patchPositions: ints([5], [1, 1]) },
];
const random = new PhiloxStream(2);
const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
const x = normals(12 * CHANNELS);
const weights = Array.from({ length: 2 }, () => ({
  gate: normals(HIDDEN * CHANNELS),
  up: normals(HIDDEN * CHANNELS),
  down: normals(CHANNELS * HIDDEN),
}));

/** Its result, and the gradients of half its square by x and by both down projections, in a precision. */
async function run(precision: 'f32' | 'f16') {
  const backend = openInterpreter();
  const variable = (data: Float32Array, ...shape: number[]) => createVariable(backend, { shape, data });
  const state = weights.map(({ gate, up, down }) => ({
    ...{ gate: variable(gate, HIDDEN, CHANNELS), up: variable(up, HIDDEN, CHANNELS) },
    down: variable(down, CHANNELS, HIDDEN),
  }));
  const compiled = await compile({
    ...{ backend, name: 'feed-forward', precision, inputs: { x: f32(2, 6, CHANNELS) }, state },
    fn: ({ x }, [text, image]) => {
      const y: Tensor = feedForward({ feedForward: text, imageFeedForward: image }, x, modalitiesOf(groups, true));
      return { outputs: [y, ...grad(y.square().sum().mul(0.5), [x, text.down, image.down])] };
    },
  });
  return compiled.run({ x });
}

const silu = (value: number) => value / (1 + Math.exp(-value));
/** SwiGLU of one position, plainly; and its gated values. */
function plain({ gate, up, down }: (typeof weights)[number], at: number) {
  const vector = x.subarray(at * CHANNELS, (at + 1) * CHANNELS);
  const times = (weight: Float32Array, row: number, of: ArrayLike<number>) =>
    Array.from(of).reduce((sum, value, i) => sum + value * weight[row * of.length + i], 0);
  const gated = Array.from({ length: HIDDEN }, (_, row) => silu(times(gate, row, vector)) * times(up, row, vector));
  return { gated, result: Array.from({ length: CHANNELS }, (_, row) => times(down, row, gated)) };
}
const positions = isPatch.map((modality, at) => plain(weights[modality], at));

test('each position goes through the feed-forward of its modality, and gives gradients to that alone', async () => {
  const [y, , textDown, imageDown] = await run('f32');
  positions
    .flatMap(({ result }) => result)
    .forEach((value, i) => expect(Math.abs(y[i] - value)).toBeLessThan(1e-4 * (1 + Math.abs(value))));
  [textDown, imageDown].forEach((slopes, modality) => {
    for (let i = 0; i < CHANNELS; i++) {
      for (let j = 0; j < HIDDEN; j++) {
        const slope = positions.reduce(
          (sum, { gated, result }, at) => sum + (isPatch[at] === modality ? result[i] * gated[j] : 0),
          0,
        );
        expect(Math.abs(slopes[i * HIDDEN + j] - slope)).toBeLessThan(1e-4 * (1 + Math.abs(slope)));
      }
    }
  });
});

test('in f16 as in f32, but for the rounding', async () => {
  const [wide, half] = [await run('f32'), await run('f16')];
  half.forEach((each, i) => {
    const scale = Math.max(...wide[i].map(Math.abs));
    expect(Math.max(...each.map((value, j) => Math.abs(value - wide[i][j])))).toBeLessThan(0.01 * scale);
  });
  expect(half[0]).not.toEqual(wide[0]);
});
