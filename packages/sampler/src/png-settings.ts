/** @file How a picture was drawn, told in its PNG file: enough to draw it again. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import { encodePng, type RgbImage, readPngTexts } from '@transfusion/data';
import { z } from 'zod';
import { imageSamplingSchema } from './image-sampling.js';

/** The keyword of the text in the file. */
const KEYWORD = 'transfusion';
/** That of Stable Diffusion's web interfaces. */
const FOREIGN_KEYWORDS = ['parameters', 'prompt', 'workflow', 'Comment', 'invokeai_metadata', 'sd-metadata'];

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');
const count = z.int().min(1).max(1024);
const scale = z.int().min(1).max(64);

/** Files of a model folder that decide what it draws, each as its SHA-256. */
export const modelHashesSchema = z.strictObject({
  config: sha256Schema.describe('of config.json'),
  tokenizer: sha256Schema.describe('of tokenizer.json'),
  weights: sha256Schema.describe('of model.safetensors; of several files one after the other, by name'),
  vae: sha256Schema.optional().describe('of what is in vae/, one after the other, by name'),
  adapters: z
    .array(z.strictObject({ sha256: sha256Schema, strength: z.number() }))
    .optional()
    .describe('LoRAs that were used with it: of adapter_config.json and adapter_model.safetensors'),
});
export type ModelHashes = z.output<typeof modelHashesSchema>;

const sourceSchema = z.strictObject({
  name: z.string().describe('of the file, without its folder'),
  sha256: sha256Schema,
});

const common = {
  version: z.literal(1),
  software: z.string(),
  backend: z.string().describe('wasm or webgpu: the same one gives the same bits on the same device'),
  model: modelHashesSchema,
  seed: z.int().min(0),
  image: imageSamplingSchema.describe('with what was left to the model, or to a default'),
  size: z.strictObject({ width: z.int().min(1), height: z.int().min(1) }).describe('pixels that the model drew'),
};

export const drawingSettingsSchema = z.discriminatedUnion('command', [
  z
    .strictObject({
      command: z.literal('generate'),
      ...common,
      prompt: z.string(),
      n: count.describe('images that were drawn together'),
      index: z.int().min(0).nullable().describe('which of them this file has, from 0; null: all, as a grid'),
      maxBatch: count.describe('most of them in one batch: rounding depends on it'),
      scale: scale.describe('side of the square that a pixel became'),
      from: sourceSchema.optional().describe('what it was made from'),
      mask: sourceSchema.optional(),
    })
    .refine(({ n, index }) => index === null || index < n, {
      path: ['index'],
      message: 'counts from 0 and is below n, the images that were drawn',
    }),
  z.strictObject({
    command: z.literal('edit'),
    ...common,
    prompt: z.string().describe('the instruction'),
    edited: sourceSchema.describe('what was edited'),
    scale: scale.describe('side of the square that a pixel became'),
  }),
  z.strictObject({
    command: z.literal('continue'),
    ...common,
    parts: z
      .array(z.union([z.strictObject({ text: z.string() }), z.strictObject({ image: sourceSchema })]))
      .describe('the document before, with what the model wrote itself up to the picture'),
    index: z.int().min(0).describe('which of the images of the document that the model drew, from 0'),
  }),
]);

export type DrawingSettings = z.output<typeof drawingSettingsSchema>;

/** A PNG file that tells how it was drawn. @throws TransfusionError as `encodePng` */
export function encodeDrawing(image: RgbImage, settings: DrawingSettings): Uint8Array {
  return encodePng(image, { texts: { [KEYWORD]: JSON.stringify(settings) } });
}

/**
 * How a PNG file was drawn.
 *
 * @param where names the file in errors
 * @throws TransfusionError IMAGE_UNREADABLE: see `readPngTexts`; DRAWING_SETTINGS: it does not say, or nothing that can be
 *   used
 */
export function readDrawing(file: Uint8Array, where: string): DrawingSettings {
  const texts = readPngTexts(file, where);
  const text = texts.get(KEYWORD);
  if (text === undefined) {
    const foreign = FOREIGN_KEYWORDS.find((keyword) => texts.has(keyword));
    throw new TransfusionError({
      code: 'DRAWING_SETTINGS',
      message: foreign
        ? `${where} has the settings of another program (${JSON.stringify(foreign)}), none of this one`
        : `${where} does not say how it was drawn`,
      fix: 'give a PNG file as `sampler generate` wrote it: other programs leave the settings out when they save it',
    });
  }
  return parseConfig(drawingSettingsSchema, parsed(text, where), `the settings in ${where}`, {
    code: 'DRAWING_SETTINGS',
    fix: 'give the file as `sampler generate` wrote it; one of a later version needs that version',
  });
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TransfusionError({
      code: 'DRAWING_SETTINGS',
      message: `the settings in ${where} are no JSON`,
      fix: 'give the file as `sampler generate` wrote it',
      cause: error,
    });
  }
}
