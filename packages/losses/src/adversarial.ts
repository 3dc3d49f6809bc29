/** @file The adversarial losses of an autoencoder (Esser et al. 2021, arXiv 2012.09841, section 3.1): hinge, adaptive weight. */
import { grad, scalar, type Tensor } from '@transfusion/tensor';

const GREATEST_WEIGHT = 1e4;
const STABILISER = 1e-4;

/** What the discriminator minimises: (mean max(0, 1 - real) + mean max(0, 1 + fake)) / 2, of its logits. */
export function discriminatorHingeLoss({ real, fake }: { real: Tensor; fake: Tensor }): Tensor {
  // At the kink the gradient is 0: of equals, `maximum` takes the first.
  const hinge = (x: Tensor) => scalar(0).maximum(x).mean();
  return hinge(real.neg().add(1))
    .add(hinge(fake.add(1)))
    .mul(0.5);
}

/** What the autoencoder minimises: -mean of the logits of its reconstructions. */
export function generatorHingeLoss(fake: Tensor): Tensor {
  return fake.mean().neg();
}

/**
 * The factor of the generator's loss that makes its gradient at the decoder's last layer as long as the reconstruction's:
 * |grad reconstruction| / (|grad adversarial| + 1e-4), clamped to [0, 1e4], times `weight` (equation 7 of the paper, and its
 * code for the clamp).
 *
 * @returns one element, detached: a constant to the gradient of the loss that it weighs
 */
export function adaptiveAdversarialWeight(options: {
  /** L1 and LPIPS. */
  reconstruction: Tensor;
  /** `generatorHingeLoss` */
  adversarial: Tensor;
  /** The filter of the decoder's last convolution, on which both depend. */
  lastLayer: Tensor;
  /** Default 0.5, the paper's. */
  weight?: number;
}): Tensor {
  const { reconstruction, adversarial, lastLayer, weight = 0.5 } = options;
  const norm = (loss: Tensor) => grad(loss, [lastLayer])[0].square().sum().sqrt();
  const ratio = norm(reconstruction).div(norm(adversarial).add(STABILISER));
  return ratio.maximum(0).minimum(GREATEST_WEIGHT).mul(weight).detach();
}
