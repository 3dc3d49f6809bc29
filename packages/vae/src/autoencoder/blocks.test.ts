import { groupNorm, linear } from '@transfusion/nn';
import { compile, constant, f32, attention as fusedAttention, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { relativeError } from '../testing/fixtures.js';
import { attention } from './blocks.js';
import { NORM_EPSILON } from './config.js';

test('attention over more positions than are scored at a time is the fused operation', async () => {
  const [height, width, channels] = [66, 64, 8];
  const positions = height * width;
  const stream = new PhiloxStream(1);
  const normals = (...shape: number[]) => {
    const length = shape.reduce((product, n) => product * n, 1);
    return constant(
      Float32Array.from({ length }, () => stream.normal()),
      shape,
    );
  };
  const projection = () => ({ weight: normals(channels, channels), bias: normals(channels) });
  const norm = { weight: normals(channels), bias: normals(channels) };
  const [to_q, to_k, to_v, out] = [projection(), projection(), projection(), projection()];
  const fused = (x: Tensor) => {
    const normalised = groupNorm(norm, x, { groups: 2, epsilon: NORM_EPSILON }).reshape([1, positions, 1, channels]);
    const [q, k, v] = [to_q, to_k, to_v].map((each) => linear(each, normalised));
    const [begin, end] = [0, positions].map((n) => constant(new Int32Array(positions).fill(n), [1, positions]));
    return x.add(linear(out, fusedAttention({ q, k, v, begin, end })).reshape(x.shape));
  };
  const backend = await openWasm({ threads: 2 });
  const compiled = await compile({
    backend,
    name: 'attention',
    inputs: { x: f32(1, height, width, channels) },
    fn: ({ x }) => ({
      outputs: { y: attention({ group_norm: norm, to_q, to_k, to_v, to_out: [out] }, x, 2), expected: fused(x) },
    }),
  });
  const x = Float32Array.from({ length: positions * channels }, () => stream.normal());
  const { y, expected } = await compiled.run({ x });
  expect(relativeError(y, expected)).toBeLessThan(1e-5);
  // The scores and their softmax are 143 MB; half of the queries at a time.
  expect(compiled.program.arenaBytes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(80e6);
  await backend.dispose();
});
