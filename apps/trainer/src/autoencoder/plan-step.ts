/** @file The FLOPs and memory of an autoencoder's steps, worked out without a device. */
import { planningBackend, type StepPlan } from '../train/planning-backend.js';
import type { VaeRunConfig } from './config.js';
import {
  type AutoencoderStepOptions,
  compileAdversarialStep,
  compilePlainStep,
  createAutoencoderState,
} from './training-step.js';

export interface AutoencoderPlan {
  /** Of the larger step: the discriminator's, where it takes part before the run ends. LPIPS is not counted. */
  largest: StepPlan;
  /** Of all steps. */
  totalFlops: number;
}

/** @throws TransfusionError DISCRIMINATOR_IMAGE_SIZE, before the step at which the discriminator starts */
export async function planAutoencoder(
  { steps, loss }: VaeRunConfig,
  options: AutoencoderStepOptions,
): Promise<AutoencoderPlan> {
  const planned = async (compile: typeof compilePlainStep | typeof compileAdversarialStep) => {
    const { backend, plan } = planningBackend();
    await compile(backend, createAutoencoderState(backend, options, new Map()), options);
    return plan;
  };
  const start = options.discriminator ? Math.min(loss.adversarialStart, steps) : steps;
  const plain = await planned(compilePlainStep);
  const adversarial = start < steps ? await planned(compileAdversarialStep) : plain;
  return { largest: adversarial, totalFlops: start * plain.flops + (steps - start) * adversarial.flops };
}
