/** @file Min-SNR loss weights (Hang et al., arXiv 2303.09556). */
import { type NoiseLevel, signalToNoiseRatio } from './noise-schedule.js';
import { errorScale, type Parameterisation } from './parameterisation.js';

/**
 * Weight of the squared error at one noise level, so that the error in x0 weighs `min(SNR, gamma)` whatever the network
 * predicts: divided by SNR for epsilon, by SNR + 1 for v where the schedule preserves variance (section 3.4).
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
  switch (parameterisation) {
    case 'epsilon':
      return snr <= gamma ? 1 : gamma / snr;
    case 'sample':
      return Math.min(snr, gamma);
    default:
      return Math.min(snr, gamma) * (level.noise / errorScale(parameterisation, level)) ** 2;
  }
}
