/** @file Many edits at once: an image, what to do with it, and the image that comes of it. */
import { editingPrefix, type RgbImage } from '@transfusion/data';
import { z } from 'zod';
import type { DrawImagesOptions } from './draw-images.js';
import { type DrawnPrompt, drawPrompts } from './draw-prompts.js';
import { resolveDrawing } from './image-steps.js';
import { parseOptions } from './parse-options.js';
import { checkContext, checkHasImages, type EncodedImage, encodeImages, type Pipeline } from './pipeline.js';
import { type PromptPiece, promptLength } from './prompt.js';

export interface EditImagesOptions extends Omit<DrawImagesOptions, 'from' | 'mask' | 'strength' | 'size'> {
  /** Image i is edited as prompt i says; the result has its size, which is one that the model was trained on. */
  images: readonly RgbImage[];
  /** Instructions; an empty one draws any image that goes with the given one. */
  prompts: readonly string[];
}

const optionsSchema = z
  .object({
    images: z.int(),
    prompts: z.array(z.string()),
    seed: z.int().min(0).default(0),
    firstIndex: z.int().min(0).default(0),
    maxBatch: z.int().min(1).default(16),
  })
  .refine(({ images, prompts }) => images === prompts.length, {
    path: ['prompts'],
    message: 'must be as many as the images',
  });

/** See `Sampler.editImages`. */
export async function editImages(pipeline: Pipeline, given: EditImagesOptions): Promise<RgbImage[]> {
  const { images, prompts, seed, firstIndex, maxBatch, signal, onStep, ...imageOptions } = given;
  const counted = { images: images.length, prompts, seed, firstIndex, maxBatch };
  const options = parseOptions('editImages', optionsSchema, counted);
  checkHasImages(pipeline);
  const drawing = resolveDrawing(pipeline.config, imageOptions);
  const encoded = await encodeImages(pipeline, images);
  const edits = options.prompts.map((prompt, i): DrawnPrompt => {
    const { format } = encoded[i];
    const edit = {
      format,
      prompt: editingPieces(pipeline, prompt, encoded[i]),
      unconditional: editingPieces(pipeline, drawing.negativePrompt, encoded[i]),
    };
    const positions = Math.max(promptLength(edit.prompt), promptLength(edit.unconditional)) + format.patches;
    // EOI stands after the first alone.
    const ofImages = 2 * format.length - 1;
    const shown = prompt.length > 40 ? `${prompt.slice(0, 37)}...` : prompt;
    checkContext(pipeline, `the instruction ${JSON.stringify(shown)} with both images`, { positions, ofImages });
    return edit;
  });
  return drawPrompts(pipeline, drawing, edits, { ...options, signal, onStep });
}

/** BOS SIZE? BOI image EOI instruction SIZE? BOI. */
function editingPieces({ tokenizer }: Pipeline, prompt: string, image: EncodedImage): PromptPiece[] {
  const ids = prompt === '' ? [] : tokenizer.encode(prompt);
  const { before, after } = editingPrefix(ids, tokenizer.special, image.format.sizeToken);
  return [{ tokens: before }, image, { tokens: after }];
}
