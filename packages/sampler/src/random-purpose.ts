/** @file The second counter word of every draw of the sampler, so that draws for different purposes are independent. */
export const RandomPurpose = {
  /** Counters: image. */
  initialNoise: 0x7361_0001,
  /** Counters: image, step. */
  stepNoise: 0x7361_0002,
  token: 0x7361_0003,
  /** Counters: image. */
  imageToken: 0x7361_0004,
  /** Counters: draw. */
  explanation: 0x7361_0005,
} as const;
