/** @file The networks that judge pictures: what may be chosen when one is trained, and the `config.json` of one that was. */
import { z } from 'zod';

/** Bounds, since memory follows from these numbers before any tensor of a file vouches for them. */
const width = () => z.int().min(2).max(4096);

const transformerFields = {
  channels: width().describe('width of the residual stream'),
  layers: z.int().min(1).max(64).describe('transformer blocks'),
  heads: z.int().min(1).max(64).describe('attention heads'),
  feedForward: width().describe('hidden width of SwiGLU'),
};

const visionFields = {
  ...transformerFields,
  patchSize: z.int().min(1).max(64).describe('side of the square of pixels that is one position'),
};

const textFields = {
  ...transformerFields,
  maxTokens: z
    .int()
    .min(2)
    .max(4096)
    .describe('longest text, the end token included; the rest of a longer one is cut off'),
};

const imageSize = z.int().min(1).max(1024).describe('side of the square pictures, in pixels');
const embedding = width().describe('numbers that a picture or a text becomes');

interface Heads {
  channels: number;
  heads: number;
}

const dividesHeads = ({ channels, heads }: Heads) => channels % heads === 0;
const headsProblem = { message: 'heads must divide channels', path: ['heads'] };

/** A vision transformer (Dosovitskiy et al. 2020) with the blocks of the model, learned positions, and the mean of all as features. */
export const visionConfigSchema = z
  .strictObject({ imageSize, ...visionFields })
  .refine(dividesHeads, headsProblem)
  .refine(({ imageSize, patchSize }) => imageSize % patchSize === 0, {
    message: 'patchSize must divide the side of the pictures (imageSize)',
    path: ['patchSize'],
  });

export const textConfigSchema = z
  .strictObject({
    ...textFields,
    vocabularySize: z.int().min(1).max(1_000_000).describe('token ids, control tokens included'),
  })
  .refine(dividesHeads, headsProblem);

/** Two towers whose embeddings of a picture and of its caption are alike (CLIP: Radford et al. 2021, arXiv 2103.00020). */
export const dualEncoderConfigSchema = z.strictObject({
  model_type: z.literal('dual-encoder'),
  image: visionConfigSchema,
  text: textConfigSchema,
  embedding,
});

/** Channels that are normed together. */
export const CHANNELS_OF_GROUP = 8;

const levelChannels = z
  .array(width().multipleOf(CHANNELS_OF_GROUP))
  .min(1)
  .max(8)
  .describe('of each convolution; all but the first halve the side');

const convolutionalConfigSchema = z
  .strictObject({ imageSize, channels: levelChannels })
  .refine(({ imageSize, channels }) => imageSize >= 2 ** (channels.length - 1), {
    message: 'the side of the pictures (imageSize) is halved more often than it can be',
    path: ['channels'],
  });

export const classifierConfigSchema = z.strictObject({
  model_type: z.literal('image-classifier'),
  image: convolutionalConfigSchema,
  classes: z.array(z.string()).min(2).max(10_000).describe('names, in the order of the scores'),
});

/** `config.json` */
export const encoderConfigSchema = z.discriminatedUnion('model_type', [
  dualEncoderConfigSchema,
  classifierConfigSchema,
]);

export type VisionConfig = z.output<typeof visionConfigSchema>;
export type ConvolutionalConfig = z.output<typeof convolutionalConfigSchema>;
export type TextConfig = z.output<typeof textConfigSchema>;
export type DualEncoderConfig = z.output<typeof dualEncoderConfigSchema>;
export type ClassifierConfig = z.output<typeof classifierConfigSchema>;
export type EncoderConfig = z.output<typeof encoderConfigSchema>;

/** Defaults: about a million parameters with those of the texts. */
const visionChoice = z
  .strictObject({
    channels: visionFields.channels.default(128),
    layers: visionFields.layers.default(4),
    heads: visionFields.heads.default(4),
    feedForward: visionFields.feedForward.default(256),
    patchSize: visionFields.patchSize.default(8),
  })
  .refine(dividesHeads, headsProblem)
  .prefault({});

const textChoice = z
  .strictObject({
    channels: textFields.channels.default(128),
    layers: textFields.layers.default(2),
    heads: textFields.heads.default(4),
    feedForward: textFields.feedForward.default(256),
    maxTokens: textFields.maxTokens.default(32),
    vocabularySize: z
      .int()
      .min(1)
      .default(1024)
      .describe('of the byte-level BPE that is trained on the captions; at least 256 bytes and control tokens'),
  })
  .refine(dividesHeads, headsProblem)
  .prefault({});

const dualNetworkSchema = z.strictObject({
  kind: z.literal('dual-encoder').describe('pictures and captions in one space, as CLIP has it'),
  image: visionChoice,
  text: textChoice,
  embedding: embedding.default(128),
});

const classifierNetworkSchema = z.strictObject({
  kind: z.literal('image-classifier').describe('pictures into classes: each distinct caption is one'),
  image: z.strictObject({ channels: levelChannels.default([16, 32, 64, 128, 128]) }).prefault({}),
});

/** What is trained; the side of the pictures, the vocabulary and the classes follow from the data. */
export const networkSchema = z
  .discriminatedUnion('kind', [dualNetworkSchema, classifierNetworkSchema])
  .prefault({ kind: 'dual-encoder' });

export type NetworkConfig = z.output<typeof networkSchema>;
