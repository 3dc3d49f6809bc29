import { addNoise } from '@transfusion/losses';
import { constant, evaluate, randomNormal } from '@transfusion/tensor';
import { feedForwardWidth, patchify } from '@transfusion/transformer';
import { denseBatch, denseWeights, sections } from './dense.js';
import { LAYOUT, LENGTH, latentShape, MODEL, PATCHES, trainStepFlops, trainStepProblem } from './problem.js';

const problem = trainStepProblem(true);
const { batch } = problem;

describe('the batch', () => {
  test('is half patches, and BOI, patches and the last position predict no token', () => {
    const patches = [...batch.patchIndex].filter((patch) => patch >= 0);
    expect(patches).toEqual([...Array(LENGTH / 2).keys()]);
    expect([...batch.patchPositions].map((position) => batch.patchIndex[position])).toEqual(patches);
    const boi = MODEL.vocabularySize - 2;
    batch.targets.forEach((target, i) => {
      const predicts = batch.tokens[i] >= 0 && batch.tokens[i] !== boi && i < LENGTH - 1;
      expect(target).toBe(predicts ? batch.tokens[i + 1] : -1);
    });
  });

  test('text sees what is before it, patches see their whole image', () => {
    expect([0, 31, 32, 95, 96, 159, 160, 255].map((position) => batch.end[position])).toEqual([
      1, 32, 96, 96, 97, 160, 224, 256,
    ]);
    expect(new Set(batch.begin)).toEqual(new Set([0]));
  });
});

describe('the dense form', () => {
  test('has the same tokens, targets and visibility', () => {
    const dense = denseBatch(problem);
    const fromSections = sections(LAYOUT).flatMap(({ kind, begin, end, index }) =>
      kind === 'text' ? [...dense.tokens.slice(...index)] : Array<number>(end - begin).fill(-1),
    );
    expect(fromSections).toEqual([...batch.tokens]);
    for (let query = 0; query < LENGTH; query++) {
      const row = dense.visible.subarray(query * LENGTH, (query + 1) * LENGTH);
      expect(row.reduce((sum, visible) => sum + visible, 0)).toBe(batch.end[query]);
      expect(row.lastIndexOf(1)).toBe(batch.end[query] - 1);
    }
    expect(dense.targetWeights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
  });

  test('has the patches and the noise that our step makes of the latents', () => {
    const { images } = problem;
    const shape = [images, ...latentShape(MODEL, LAYOUT)];
    const { noised, target } = addNoise({
      latents: constant(batch.latents, shape),
      noise: randomNormal({ seed: constant(batch.noiseSeed, [4]), shape, stream: 0 }),
      coefficients: constant(batch.noiseCoefficients, [images, 4]),
    });
    const ours = evaluate([patchify(noised, MODEL.patchSize), patchify(target, MODEL.patchSize)], new Map());
    const dense = denseBatch(problem);
    [dense.patches, dense.noise].forEach((values, i) => {
      expect(values).toHaveLength(images * PATCHES * MODEL.patchValues);
      expect(Math.max(...values.map((value, at) => Math.abs(value - ours[i][at])))).toBeLessThan(1e-6);
    });
  });

  test('transposes weights and brings rotary pairs (2i, 2i + 1) to (i, i + half)', () => {
    const byPath = new Map(denseWeights(problem).map((weight) => [weight.path, weight]));
    const ours = (path: string, output: number, input: number, inputs: number) =>
      problem.weights.get(path)![output * inputs + input];
    const dense = (path: string, input: number, output: number) => {
      const { shape, data } = byPath.get(path)!;
      return data[input * shape[1] + output];
    };
    const { channels } = MODEL;
    expect(byPath.get('blocks.0.feedForward.down')!.shape).toEqual([feedForwardWidth(MODEL), channels]);
    expect(dense('blocks.0.attention.value', 3, 70)).toBe(ours('blocks.0.attention.value', 70, 3, channels));
    expect(dense('blocks.0.attention.query', 3, 64 + 5)).toBe(ours('blocks.0.attention.query', 64 + 10, 3, channels));
    expect(dense('blocks.0.attention.key', 3, 32 + 5)).toBe(ours('blocks.0.attention.key', 11, 3, channels));
  });
});

test('the step has about 6 operations per weight and token', () => {
  const weights = 6 * (4 * 256 * 256 + 3 * 256 * 768) + 512 * 256;
  const flops = trainStepFlops(problem);
  expect(flops / (6 * weights * LENGTH)).toBeGreaterThan(1);
  expect(flops / (6 * weights * LENGTH)).toBeLessThan(1.1);
});
