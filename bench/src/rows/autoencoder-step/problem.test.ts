import { sizeOf } from '@transfusion/tensor';
import {
  autoencoderProblem,
  autoencoderStepFlops,
  CONFIG,
  imageShape,
  latentNoise,
  latentShape,
  writtenSide,
} from './problem.js';

const problem = autoencoderProblem(true);

test('images are 64 x 64, latents 8 x 8 x 8', () => {
  expect(problem.images).toHaveLength(sizeOf(imageShape(problem)));
  expect(latentNoise(problem)).toHaveLength(sizeOf(latentShape(problem)));
  expect([imageShape(problem), latentShape(problem)]).toEqual([
    [problem.batch, 64, 64, 3],
    [problem.batch, 8, 8, 8],
  ]);
});

test.each([
  ['encoder.conv_in.weight', 64],
  ['encoder.down_blocks.1.resnets.0.conv2.weight', 32],
  ['encoder.down_blocks.0.downsamplers.0.conv.weight', 32],
  ['encoder.mid_block.attentions.0.to_q.weight', 8],
  ['encoder.conv_out.weight', 8],
  ['quant_conv.weight', 8],
  ['decoder.up_blocks.0.upsamplers.0.conv.weight', 16],
  ['decoder.up_blocks.3.resnets.1.conv1.weight', 64],
  ['decoder.conv_out.weight', 64],
])('%s writes a side of %i', (path, side) => {
  expect(problem.weights.has(path)).toBe(true);
  expect(writtenSide(path, CONFIG)).toBe(side);
});

test('no weight is the same as all others of its layer', () => {
  for (const { data } of problem.weights.values()) expect(new Set(data).size).toBeGreaterThan(1);
});

test('operations are six per weight and position, less the gradient of the images', () => {
  const filters = [...problem.weights].filter(([, { shape }]) => shape.length === 4);
  const perImage = filters.reduce((sum, [path, { data }]) => sum + 6 * data.length * writtenSide(path, CONFIG) ** 2, 0);
  const flops = autoencoderStepFlops(problem) / problem.batch;
  expect(flops / perImage).toBeGreaterThan(0.98);
  expect(flops / perImage).toBeLessThan(1.05);
  expect(autoencoderStepFlops({ ...problem, batch: 8 })).toBe(4 * autoencoderStepFlops({ ...problem, batch: 2 }));
});
