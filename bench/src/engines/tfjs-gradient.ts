/** @file Functions with gradients of their own in tfjs, typed. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { EngineApis } from './engine.js';

type Tf = EngineApis['tfjs']['tf'];
type CustomGradient = Parameters<Tf['customGrad']>[0];

/**
 * A function of tensors, and its gradients by them out of `dy`, the gradient of its result. What the gradients need is
 * kept from the forward pass; what they make on the way is freed.
 */
export function withGradient<Inputs extends Tensor[]>(
  tf: Tf,
  forward: (...inputs: Inputs) => { value: Tensor; kept: Tensor[] },
  backward: (dy: Tensor, kept: Tensor[]) => Tensor[],
): (...inputs: Inputs) => Tensor {
  const custom = (...all: unknown[]) => {
    const save = all.pop() as (tensors: Tensor[]) => void;
    const { value, kept } = forward(...(all as Inputs));
    save(kept);
    return { value, gradFunc: (dy: Tensor, kept: Tensor[]) => tf.tidy(() => backward(dy, kept)) };
  };
  return tf.customGrad(custom as unknown as CustomGradient) as unknown as (...inputs: Inputs) => Tensor;
}
