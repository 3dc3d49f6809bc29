/** @file AdamW over a tree of parameters, clipping by the global norm, and exponential moving averages. */
import { adamw, flattenTree, isTensor, mapTree, scalar, type Tensor } from '@transfusion/tensor';
import { isParameterSpec, type ParameterSpec } from './parameters.js';

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled decay, for parameters whose spec decays. */
  weightDecay: number;
}

/** The numbers that change every step, as the graph takes them: [learning rate, 1 - beta1^step, 1 - beta2^step], step from 1. */
export function adamwHyper(options: {
  learningRate: number;
  beta1: number;
  beta2: number;
  step: number;
}): Float32Array {
  const { learningRate, beta1, beta2, step } = options;
  return Float32Array.of(learningRate, 1 - beta1 ** step, 1 - beta2 ** step);
}

export interface AdamWUpdate<T> {
  /** A tree like the parameters: which of them decay. */
  specs: unknown;
  parameters: T;
  gradients: T;
  m: T;
  v: T;
  /** [3], from `adamwHyper`. */
  hyper: Tensor;
  /** Multiplies every gradient; 0 skips the update. */
  gradientScale: Tensor;
}

/** One step for every parameter: new parameters and moments, as trees of the same form. */
export function adamwUpdate<T>(update: AdamWUpdate<T>, options: AdamWOptions): { parameters: T; m: T; v: T } {
  const specs = flattenTree<ParameterSpec>(update.specs, isParameterSpec);
  const [gradients, m, v] = [update.gradients, update.m, update.v].map((tree) => flattenTree<Tensor>(tree, isTensor));
  const results = new Map(
    [...flattenTree<Tensor>(update.parameters, isTensor)].map(([path, parameter]) => {
      const weightDecay = specs.get(path)!.decays ? options.weightDecay : 0;
      const { hyper, gradientScale } = update;
      const step = {
        parameter,
        gradient: gradients.get(path)!,
        m: m.get(path)!,
        v: v.get(path)!,
        hyper,
        gradientScale,
      };
      return [path, adamw(step, { ...options, weightDecay })];
    }),
  );
  const pick = (which: 'parameter' | 'm' | 'v') =>
    mapTree(update.parameters, isTensor, (_, path) => results.get(path)![which]) as T;
  return { parameters: pick('parameter'), m: pick('m'), v: pick('v') };
}

/** sqrt of the sum of the squares of all elements of a tree. */
export function globalNorm(tree: unknown): Tensor {
  const squares = [...flattenTree<Tensor>(tree, isTensor).values()].map((tensor) => tensor.square().sum());
  return squares.reduce((sum, each) => sum.add(each)).sqrt();
}

/** The factor that brings `norm` down to `maxNorm`: min(1, maxNorm / norm). */
export function clipScale(norm: Tensor, maxNorm: number): Tensor {
  return scalar(maxNorm).div(norm.add(1e-6)).minimum(1);
}

/** average * decay + value * (1 - decay), leaf by leaf. `decay` has one element. */
export function emaUpdate<T>(average: T, values: T, decay: Tensor): T {
  const latest = flattenTree<Tensor>(values, isTensor);
  return mapTree(average, isTensor, (old, path) => {
    const value = latest.get(path)!;
    return value.add(old.sub(value).mul(decay));
  }) as T;
}
