/** @file @transfusion/losses: language-model and diffusion losses. */

export { addNoise, diffusionLoss, transfusionLoss } from './diffusion.js';
export { languageLoss } from './language.js';
