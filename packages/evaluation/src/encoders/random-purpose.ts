/** @file Second counter words of this package's draws on the host, far from those of other packages. */
export const RandomPurpose = { augmentation: 0x6576_0001, caption: 0x6576_0002 } as const;
