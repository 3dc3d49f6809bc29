/** @file How long a prompt is, as usage tells it: text tokens, and patches of images. Control tokens do not count. */
import type { PromptPart } from '@transfusion/sampler';
import { patchesOf } from './draw.js';
import type { ServedModel } from './served-model.js';

export function promptTokens({ sampler, countTokens }: ServedModel, prompt: readonly PromptPart[]): number {
  return prompt.reduce((sum, part) => {
    return sum + ('text' in part ? countTokens(part.text) : patchesOf(sampler.config, part.image));
  }, 0);
}
