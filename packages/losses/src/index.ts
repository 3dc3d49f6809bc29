/** @file @transfusion/losses: language-model, diffusion and autoencoder losses. */

export {
  adaptiveAdversarialWeight,
  discriminatorHingeLoss,
  generatorHingeLoss,
} from './adversarial.js';
export { addNoise, diffusionLoss, transfusionLoss } from './diffusion.js';
export { languageLoss, zLoss } from './language.js';
export { type LpipsParameters, lpips, lpipsWeights, type StoredTensor } from './lpips.js';
export { structuralSimilarity } from './structural-similarity.js';
export { klLoss, reconstructionLoss, squaredErrorLoss, type VqLoss, vqLoss } from './vae.js';
