/**
 * @file AdamW with decoupled weight decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101, algorithm 2), in
 * place on parameter, m and v, all [elements]; hyper f32 [lr, bias1, bias2]; gradientScale f32 [1]. The numbers that
 * change from step to step are data, so that a replayed step does not freeze them.
 */
import type { AdamWKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, f32Literal, type LoweringContext, type StorageArray } from '../lowering.js';
import { threadDispatch, vectorWidth } from './thread-dispatch.js';

/** The buffers of the kernel in WGSL. */
export type AdamWArrays = Record<
  'parameter' | 'gradient' | 'm' | 'v' | 'hyper' | 'gradientScale',
  Pick<StorageArray, 'at' | 'set'>
>;

/** WGSL statements that update what is at `index`: one element, or a vector of four. */
export function adamwBody(
  { beta1, beta2, epsilon, weightDecay }: Pick<AdamWKernel, 'beta1' | 'beta2' | 'epsilon' | 'weightDecay'>,
  { parameter, gradient, m, v, hyper, gradientScale }: AdamWArrays,
): string {
  return `
  if (${gradientScale.at('0')} == 0.0) {
    // Not even if the gradient is not finite.
  } else {
    let learning_rate = ${hyper.at('0')};
    let g = ${gradient.at('index')} * ${gradientScale.at('0')};
    let m = ${f32Literal(beta1)} * ${m.at('index')} + ${f32Literal(1 - beta1)} * g;
    let v = ${f32Literal(beta2)} * ${v.at('index')} + ${f32Literal(1 - beta2)} * g * g;
    let p = ${parameter.at('index')};
    let step = (m / ${hyper.at('1')}) / (sqrt(v / ${hyper.at('2')}) + ${f32Literal(epsilon)});
    ${m.set('index', 'm')}
    ${v.set('index', 'v')}
    ${parameter.set('index', `p - learning_rate * (${f32Literal(weightDecay)} * p) - learning_rate * step`)}
  }`;
}

/** One thread updates one element, or four. */
export function lowerAdamW(kernel: AdamWKernel, context: LoweringContext): Dispatch[] {
  const { elements } = kernel;
  const vector = vectorWidth(elements);
  const type = vector === 4 ? 'vec4f' : 'f32';

  const bindings = new BindingSet(context);
  const body = adamwBody(kernel, {
    parameter: bindings.buffer(kernel.parameter, 'parameter', type),
    gradient: bindings.buffer(kernel.gradient, 'gradient', type),
    m: bindings.buffer(kernel.m, 'first_moment', type),
    v: bindings.buffer(kernel.v, 'second_moment', type),
    hyper: bindings.buffer(kernel.hyper, 'hyper'),
    gradientScale: bindings.buffer(kernel.gradientScale, 'gradient_scale'),
  });
  return [threadDispatch({ label: 'adamw', count: elements / vector, bindings, body, device: context.device })];
}
