/** @file The demo's pictures learned as tokens (Chameleon, arXiv 2405.09818), to compare with `demo`: `trainer demo --preset chameleon`. */
import type { RunConfigInput } from '../config/run-config.js';
import { demo } from './demo.js';

// What is diffusion's alone would do nothing here.
const { patchSize, diffusion, sampling, ...shared } = demo;

export const chameleon: RunConfigInput = {
  ...shared,
  name: 'chameleon',
  model: { preset: 'nano', images: 'tokens', qkNorm: true, norm: 'post' },
  zLoss: 1e-5,
  // 8 x 8 of 2,048 codes: 64 tokens.
  codec: 'emoji-64-vq',
  sampling: { guidance: 3 },
};
