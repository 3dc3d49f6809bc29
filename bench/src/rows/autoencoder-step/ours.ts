/** @file The autoencoder's training step in our packages. */
import { klLoss, reconstructionLoss } from '@transfusion/losses';
import { adamwHyper, adamwUpdate, createParameters, globalNorm, gradientTree } from '@transfusion/nn';
import { compile, f32, scalar } from '@transfusion/tensor';
import { type KlParameters, klSpec, reconstructKl } from '@transfusion/vae';
import type { EngineApis } from '../../engines/engine.js';
import { profileRuns, type Task } from '../row.js';
import { stepTask } from '../step-task.js';
import {
  type AutoencoderProblem,
  checkedNumbers,
  imageShape,
  KL_WEIGHT,
  LEARNING_RATE,
  latentShape,
  OPTIMIZER,
} from './problem.js';

export async function ourAutoencoderStep({ backend }: EngineApis['ours'], problem: AutoencoderProblem): Promise<Task> {
  const { config, images, noise } = problem;
  const specs = klSpec(config);
  const weights = new Map([...problem.weights].map(([path, { data }]) => [path, data]));
  const step = await compile({
    backend,
    name: 'autoencoder step',
    inputs: { images: f32(...imageShape(problem)), noise: f32(...latentShape(problem)), hyper: f32(3) },
    state: {
      parameters: createParameters(backend, specs, weights),
      m: createParameters(backend, specs),
      v: createParameters(backend, specs),
    },
    fn: ({ images, noise, hyper }, state) => {
      const { parameters, m, v } = state as Record<'parameters' | 'm' | 'v', KlParameters>;
      const { reconstruction, posterior } = reconstructKl({ config, parameters, images, noise });
      const l1 = reconstructionLoss({ reconstruction, images });
      const kl = klLoss(posterior).mul(KL_WEIGHT);
      const gradients = gradientTree(l1.add(kl), parameters);
      const update = { specs, parameters, gradients, m, v, hyper, gradientScale: scalar(1) };
      return { outputs: { l1, kl, norm: globalNorm(gradients) }, updates: adamwUpdate(update, OPTIMIZER) };
    },
  });
  const inputsOf = (number: number) => {
    return { images, noise, hyper: adamwHyper({ ...OPTIMIZER, learningRate: LEARNING_RATE, step: number }) };
  };
  return {
    ...stepTask(async (number) => {
      const { l1, kl, norm } = await step.run(inputsOf(number));
      return checkedNumbers({ l1: l1[0], kl: kl[0], norm: norm[0] });
    }),
    deviceBytes: async () => backend.stats().liveBytes,
    profile: () => profileRuns(step, () => step.profile(inputsOf(1))),
  };
}
