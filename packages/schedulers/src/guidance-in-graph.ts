/** @file `guidance.ts` as a graph, for several images at once: tensors of one shape [images, ...]. */
import { select, type Tensor } from '@transfusion/tensor';

/** `guide` over symbolic tensors. @param scale f32 [1], or of each image [images, 1, ...] */
export function guideInGraph(unconditional: Tensor, conditional: Tensor, scale: Tensor): Tensor {
  return unconditional.add(conditional.sub(unconditional).mul(scale));
}

/** `guideRescaled` of each image. @param rescale f32 [1] or [images, 1] */
export function guideRescaledInGraph(guided: Tensor, conditional: Tensor, rescale: Tensor): Tensor {
  const own = deviation(guided);
  const ratio = deviation(conditional).div(orOne(own));
  const factor = ratio.mul(rescale).add(rescale.neg().add(1));
  return timesPerImage(guided, select(own, factor, 1));
}

/** `guideRenormed` of each image. @param renorm f32 [1] or [images, 1] */
export function guideRenormedInGraph(guided: Tensor, conditional: Tensor, renorm: Tensor): Tensor {
  const own = norm(guided);
  const ratio = norm(conditional).div(orOne(own)).maximum(renorm).minimum(1);
  return timesPerImage(guided, select(own, ratio, 1));
}

/** [images, 1] */
function deviation(values: Tensor): Tensor {
  const flat = values.reshape([values.shape[0], -1]);
  return flat.sub(flat.mean(1, true)).square().mean(1, true).sqrt();
}

/** [images, 1] */
function norm(values: Tensor): Tensor {
  return values.reshape([values.shape[0], -1]).square().sum(1, true).sqrt();
}

function orOne(values: Tensor): Tensor {
  return select(values, values, 1);
}

function timesPerImage(values: Tensor, factors: Tensor): Tensor {
  return values.reshape([values.shape[0], -1]).mul(factors).reshape(values.shape);
}
