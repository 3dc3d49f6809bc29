/**
 * @file Dynamic loss scaling (Micikevicius et al. 2018, section 3.2): in f16, small gradients would vanish and large ones
 * overflow. The loss is multiplied by a scale that halves whenever a gradient overflows, and that step is skipped; after
 * many good steps it doubles. All of it is in the graph: a replayed step needs no look at its results.
 */
import { type Backend, createVariable, scalar, select, type Tensor, type Variable } from '@transfusion/tensor';
import { clipScale } from './optimizer.js';

/** What persists between steps, of one element each. */
export interface LossScale<T = Variable> {
  scale: T;
  /** Steps without overflow since the scale changed. */
  goodSteps: T;
}

export interface LossScaleOptions {
  initialScale: number;
  /** Steps without overflow after which the scale doubles. */
  growthInterval: number;
}

/** As PyTorch's gradient scaler has them. */
const lossScaleDefaults: LossScaleOptions = { initialScale: 2 ** 16, growthInterval: 2000 };

const LARGEST = 2 ** 24;
const F32_MAX = 3.4028234663852886e38;

export function createLossScale(
  backend: Backend,
  values: { scale: number; goodSteps: number } = { scale: lossScaleDefaults.initialScale, goodSteps: 0 },
): LossScale {
  const one = (value: number) => createVariable(backend, { shape: [1], data: Float32Array.of(value) });
  return { scale: one(values.scale), goodSteps: one(values.goodSteps) };
}

export interface ScaledStep {
  /** Global norm of the gradients without the scale; infinite or NaN where they overflowed. */
  norm: Tensor;
  /** For `adamwUpdate`: clips and takes the scale out; 0, which skips the update, where the gradients overflowed. */
  gradientScale: Tensor;
  next: LossScale<Tensor>;
}

/** @param options.scaledNorm the global norm of the gradients of `loss * scale` */
export function scaledStep(options: {
  lossScale: LossScale<Tensor>;
  scaledNorm: Tensor;
  maxNorm: number;
  growthInterval?: number;
}): ScaledStep {
  const { lossScale, scaledNorm, maxNorm, growthInterval = lossScaleDefaults.growthInterval } = options;
  const scale = lossScale.scale.reshape([]);
  const norm = scaledNorm.div(scale);
  // NaN is less than nothing.
  const good = scaledNorm.lessEqual(F32_MAX);
  const counted = lossScale.goodSteps.reshape([]).add(1);
  const grows = good.mul(counted.greaterEqual(growthInterval));
  const nextScale = select(grows, scale.mul(2).minimum(LARGEST), select(good, scale, scale.mul(0.5).maximum(1)));
  return {
    norm,
    gradientScale: select(good, clipScale(norm, maxNorm).div(scale), scalar(0)),
    next: {
      scale: nextScale.reshape([1]),
      goodSteps: select(good.mul(scalar(1).sub(grows)), counted, scalar(0)).reshape([1]),
    },
  };
}
