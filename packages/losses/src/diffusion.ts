/** @file The diffusion loss: mean squared error per image, for any parameterisation. */
import type { Tensor } from '@transfusion/tensor';

/** Numbers per image, f32 [images, 4]: signal, noise, target signal, target noise (see `targetCoefficients` of schedulers). */
function coefficients(perImage: Tensor, { shape: [images, ...axes] }: Tensor): Tensor[] {
  return [0, 1, 2, 3].map((i) => perImage.slice(1, i, i + 1).reshape([images, ...axes.map(() => 1)]));
}

/**
 * The noised latents x_t = signal x0 + noise eps and what the model has to predict, target signal x0 + target noise eps
 * (epsilon: 0 and 1). Latents and noise are [images, ...], such as [images, height, width, channels].
 */
export function addNoise(options: { latents: Tensor; noise: Tensor; coefficients: Tensor }): {
  noised: Tensor;
  target: Tensor;
} {
  const { latents, noise } = options;
  const [signal, noiseScale, targetSignal, targetNoise] = coefficients(options.coefficients, latents);
  return {
    noised: latents.mul(signal).add(noise.mul(noiseScale)),
    target: latents.mul(targetSignal).add(noise.mul(targetNoise)),
  };
}

/**
 * L_DDPM: the mean over images of the mean squared error over each image's elements.
 * @param options.mask f32 [images]: 1 for images that count (a weight, in general), 0 for unused slots, which must be finite.
 * @param options.count number of images to divide by; default: the sum of the mask.
 */
export function diffusionLoss(options: { prediction: Tensor; target: Tensor; mask: Tensor; count?: Tensor }): Tensor {
  const { prediction, target, mask } = options;
  const axes = prediction.shape.map((_, axis) => axis).slice(1);
  const perImage = prediction.sub(target).square().mean(axes);
  return perImage
    .mul(mask)
    .sum()
    .div(options.count ?? mask.sum().maximum(1));
}

/** The paper's objective: L_LM + lambda L_DDPM, lambda = 5 (section 3.4). */
export function transfusionLoss(options: { language: Tensor; diffusion: Tensor; lambda?: number }): Tensor {
  return options.language.add(options.diffusion.mul(options.lambda ?? 5));
}
