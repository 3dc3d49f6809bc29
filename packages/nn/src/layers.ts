/** @file Layers: functions of their parameters and inputs. Weights are stored [outputs, inputs]. */
import { rmsNorm as rmsNormOp, type Tensor } from '@transfusion/tensor';
import { adaptedProjection, type LinearWeight } from './low-rank.js';
import { linearWeight, type ParameterSpec, vector } from './parameters.js';

export interface LinearParameters<T = Tensor> {
  /** [outputs, inputs] */
  weight: LinearWeight<T>;
  /** [outputs] */
  bias: T;
}

export function linearSpec(options: { inputs: number; outputs: number; std: number }): LinearParameters<ParameterSpec> {
  const { inputs, outputs, std } = options;
  return { weight: linearWeight([outputs, inputs], std), bias: vector(outputs) };
}

/** x [..., inputs] -> [..., outputs], without a bias. The weight may have adapters. */
export function project(weight: LinearWeight, x: Tensor): Tensor {
  return adaptedProjection(weight, x);
}

/** x [..., inputs] -> [..., outputs]. */
export function linear(p: LinearParameters, x: Tensor): Tensor {
  return project(p.weight, x).add(p.bias);
}

/** RMSNorm (Zhang and Sennrich 2019) of x [..., channels] with gain [channels]. */
export function rmsNorm(gain: Tensor, x: Tensor, epsilon = 1e-5): Tensor {
  return rmsNormOp(x, gain, epsilon);
}

export interface SwigluParameters<T = Tensor> {
  /** [hidden, channels] */
  gate: LinearWeight<T>;
  /** [hidden, channels] */
  up: LinearWeight<T>;
  /** [channels, hidden] */
  down: LinearWeight<T>;
}

export function swigluSpec(options: {
  channels: number;
  hidden: number;
  std: number;
  outputStd: number;
}): SwigluParameters<ParameterSpec> {
  const { channels, hidden, std, outputStd } = options;
  return {
    gate: linearWeight([hidden, channels], std),
    up: linearWeight([hidden, channels], std),
    down: linearWeight([channels, hidden], outputStd),
  };
}

/** down(silu(gate(x)) * up(x)) (Shazeer 2020). */
export function swiglu(p: SwigluParameters, x: Tensor): Tensor {
  return project(p.down, project(p.gate, x).silu().mul(project(p.up, x)));
}
