/** @file The training step in PyTorch: the problem as files, run by bench/torch/train_step.py. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TorchApi } from '../../engines/torch.js';
import type { Task } from '../row.js';
import { denseBatch, denseWeights, headDimOf, sections } from './dense.js';
import {
  CHECKED_STEPS,
  LAMBDA,
  LEARNING_RATE,
  MAX_GRADIENT_NORM,
  OPTIMIZER,
  patchesPerImage,
  type TrainStepProblem,
} from './problem.js';

export async function torchTrainStep(torch: TorchApi, problem: TrainStepProblem): Promise<Task> {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeProblem(folder, problem);
  const script = await torch.start('train_step.py', folder);
  return {
    run: async (times) => void (await script.ask({ run: times })),
    deviceBytes: async () => (await script.ask({ memory: true })).bytes,
    check: async () => Float32Array.from((await script.ask({ check: true })).numbers ?? []),
  };
}

function writeProblem(folder: string, problem: TrainStepProblem): void {
  const dense = denseBatch(problem);
  const weights = denseWeights(problem);
  const { rows, images, batch, model, layout } = problem;
  const { length } = layout;
  const headDim = headDimOf(model);
  const perPatch = [images, patchesPerImage(layout), model.patchValues];
  const given: [name: string, data: Float32Array | Int32Array, shape: number[]][] = [
    ...weights.map(({ path, data, shape }): [string, Float32Array, number[]] => [`weight.${path}`, data, shape]),
    ['tokens', dense.tokens, [rows, dense.tokens.length / rows]],
    ['targets', dense.targets, [rows, length]],
    ['targetWeights', dense.targetWeights, [rows, length]],
    ['visible', dense.visible, [length, length]],
    ['cos', dense.cos, [length, headDim / 2]],
    ['sin', dense.sin, [length, headDim / 2]],
    ['sinusoids', dense.sinusoids, [images, model.timestepDimensions]],
    ['patches', batch.patches, perPatch],
    ['noise', batch.noise, perPatch],
  ];
  const arrays = Object.fromEntries(
    given.map(([name, data, shape], number) => {
      const file = `${number}.bin`;
      writeFileSync(join(folder, file), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return [name, { file, shape, dtype: data instanceof Float32Array ? 'f32' : 'i32' }];
    }),
  );
  const description = {
    arrays,
    weights: weights.map(({ path, decays }) => ({ path, decays })),
    sections: sections(layout),
    rows,
    length,
    heads: model.heads,
    headDim,
    layers: model.layers,
    normEpsilon: model.normEpsilon,
    lambda: LAMBDA,
    learningRate: LEARNING_RATE,
    maxGradientNorm: MAX_GRADIENT_NORM,
    optimizer: OPTIMIZER,
    // Losses and gradient norm of each checked step.
    checkedNumbers: 3 * CHECKED_STEPS,
  };
  writeFileSync(join(folder, 'problem.json'), JSON.stringify(description));
}
