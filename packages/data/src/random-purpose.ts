/**
 * @file The second counter word of every host-side draw, so that draws made for different purposes under one seed are
 * independent of each other, and of the small stream numbers of random kernels inside compiled programs.
 */
export const RandomPurpose = {
  epochOrder: 0x6461_0001,
  example: 0x6461_0002,
  timestep: 0x6461_0003,
  heldOut: 0x6461_0004,
  flip: 0x6461_0005,
  latents: 0x6461_0006,
  evaluation: 0x6461_0007,
  documents: 0x6461_0008,
  documentOrder: 0x6461_0009,
  otherCaptions: 0x6461_000a,
  edits: 0x6461_0010,
  emojiCaptions: 0x6461_0011,
  pieceOrder: 0x6461_0012,
  views: 0x6461_0013,
} as const;
