/** @file Min-SNR loss weights (Hang et al., arXiv 2303.09556). */
import { type NoiseLevel, signalToNoiseRatio } from './noise-schedule.js';
import type { Parameterisation } from './parameterisation.js';

/**
 * Weight of the squared error at one noise level, so that the error in x0 weighs `min(SNR, gamma)` whatever the network
 * predicts: divided by SNR for epsilon, by SNR + 1 for v (section 3.4), by (1 + sqrt(SNR))^2 for x0 - epsilon.
 *
 * @param options.gamma default 5
 */
export function minSnrWeight(options: {
  parameterisation: Parameterisation;
  level: NoiseLevel;
  gamma?: number;
}): number {
  const { parameterisation, level, gamma = 5 } = options;
  const snr = signalToNoiseRatio(level);
  const weight = Math.min(snr, gamma);
  switch (parameterisation) {
    case 'epsilon':
      return snr <= gamma ? 1 : gamma / snr;
    case 'sample':
      return weight;
    case 'v':
      return weight / (snr + 1);
    case 'flow':
      return weight / (1 + Math.sqrt(snr)) ** 2;
  }
}
