/** @file The second counter word of every draw of this package, so that draws for different purposes are independent. */
export const RandomPurpose = {
  /** Counters: image. */
  posterior: 0x7661_0001,
} as const;
