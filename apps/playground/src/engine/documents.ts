/** @file Going on with a document of texts and pictures; a caption is what follows a picture alone. */
import { nextTask } from '@transfusion/core';
import type { PromptPart } from '@transfusion/sampler';
import { nearestSize, type OpenModel } from './open-model.js';
import { fitted } from './pictures.js';
import type { ContinueEvent, ContinueRequest, DocumentPart } from './protocol.js';

export interface ContinueOptions {
  model: OpenModel;
  request: ContinueRequest;
  signal?: AbortSignal;
  onEvent: (event: ContinueEvent) => void;
}

/** @throws as `Sampler.generate` */
export async function continueDocument({ model, request, signal, onEvent }: ContinueOptions): Promise<void> {
  const { parts, maxTokens, maxImages, seed, temperature, forceImage, image } = request;
  const events = model.sampler.generate({
    ...{ prompt: promptOf(model, parts), maxTokens, maxImages, seed, forceImage, signal, image, previewEvery: 2 },
    text: { temperature },
  });
  for await (const event of events) {
    if (event.type === 'token' || event.type === 'text') onEvent({ kind: 'text', text: event.text });
    else if (event.type === 'denoise') {
      onEvent({ kind: 'step', step: event.step, steps: event.steps, preview: event.preview });
    } else if (event.type === 'image') onEvent({ kind: 'picture', picture: event.image });
    else onEvent({ kind: 'end', reason: event.reason });
    await nextTask();
  }
}

function promptOf({ config }: OpenModel, parts: readonly DocumentPart[]): PromptPart[] {
  return parts
    .filter((part) => 'picture' in part || part.text !== '')
    .map((part) =>
      'text' in part ? { text: part.text } : { image: fitted(part.picture, nearestSize(config, part.picture)) },
    );
}
