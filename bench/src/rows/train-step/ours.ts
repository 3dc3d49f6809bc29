/** @file The training step in our packages. */
import { diffusionLoss, languageLoss, transfusionLoss } from '@transfusion/losses';
import { adamwHyper, adamwUpdate, clipScale, createParameters, globalNorm, gradientTree } from '@transfusion/nn';
import { type Backend, compile, f32, i32, type KernelSpan, type Program, type Tensor } from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  predictPatches,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';
import type { EngineApis } from '../../engines/engine.js';
import { profileRuns, type Task } from '../row.js';
import { stepTask } from '../step-task.js';
import {
  LAMBDA,
  LEARNING_RATE,
  MAX_GRADIENT_NORM,
  OPTIMIZER,
  patchesPerImage,
  type TrainStepProblem,
} from './problem.js';

/** A step in our packages, on the problem's batch. */
export interface OurTrainStep {
  program: Program;
  /** @returns [language loss, diffusion loss, gradient norm] */
  run(number?: number): Promise<number[]>;
  profile(): Promise<{ spans: KernelSpan[]; clock: string }>;
}

export async function ourTrainStep({ backend }: EngineApis['ours'], problem: TrainStepProblem): Promise<Task> {
  const step = await compileTrainStep(backend, problem);
  return {
    ...stepTask((number) => step.run(number)),
    deviceBytes: async () => backend.stats().liveBytes,
    profile: () => profileRuns(step, () => step.profile()),
  };
}

export async function compileTrainStep(backend: Backend, problem: TrainStepProblem): Promise<OurTrainStep> {
  const { batch, model } = problem;
  const specs = transfusionSpec(model);
  const step = await compile({
    backend,
    name: 'train step',
    inputs: { batch: batchInputs(problem), hyper: f32(3) },
    state: {
      parameters: createParameters(backend, specs, problem.weights),
      m: createParameters(backend, specs),
      v: createParameters(backend, specs),
    },
    fn: ({ batch, hyper }, state) => {
      const parameters: TransfusionParameters = state.parameters;
      const { language, diffusion } = losses(model, parameters, batch);
      const loss = transfusionLoss({ language, diffusion, lambda: LAMBDA });
      const gradients = gradientTree(loss, parameters);
      const norm = globalNorm(gradients);
      const gradientScale = clipScale(norm, MAX_GRADIENT_NORM);
      const { m, v } = state as { m: TransfusionParameters; v: TransfusionParameters };
      const updates = adamwUpdate({ specs, parameters, gradients, m, v, hyper, gradientScale }, OPTIMIZER);
      return { outputs: { language, diffusion, norm }, updates };
    },
  });
  const inputsOf = (number: number) => {
    return { batch, hyper: adamwHyper({ ...OPTIMIZER, learningRate: LEARNING_RATE, step: number }) };
  };
  return {
    program: step.program,
    async run(number = 1) {
      const { language, diffusion, norm } = await step.run(inputsOf(number));
      return [language[0], diffusion[0], norm[0]];
    },
    profile: () => step.profile(inputsOf(1)),
  };
}

function batchInputs({ model, layout, rows, images }: TrainStepProblem) {
  const perPosition = i32(rows, layout.length);
  const patches = patchesPerImage(layout);
  const perPatch = f32(images, patches, model.patchValues);
  return {
    tokens: perPosition,
    patchIndex: perPosition,
    positions: perPosition,
    begin: perPosition,
    end: perPosition,
    targets: perPosition,
    patchPositions: i32(images, patches),
    patches: perPatch,
    noise: perPatch,
    timesteps: f32(images),
  };
}

function losses(
  model: ModelConfig,
  p: TransfusionParameters,
  batch: { [Key in keyof ReturnType<typeof batchInputs>]: Tensor },
) {
  const { hidden } = forward(model, p, batch);
  const language = languageLoss({ logits: languageLogits(p, hidden), targets: batch.targets });
  const prediction = predictPatches(p, hidden, batch.patchPositions);
  const mask = batch.timesteps.greaterEqual(0);
  return { language, diffusion: diffusionLoss({ prediction, target: batch.noise, mask }) };
}
