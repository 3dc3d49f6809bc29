/** @file One document: texts and images after a prompt. */
import { nextTask } from '@transfusion/core';
import type { RgbImage } from '@transfusion/data';
import type { EndReason, GenerateOptions, Sampler } from '@transfusion/sampler';
import { previewEvery } from './draw.js';
import type { Observer } from './observer.js';
import type { Work } from './run-all.js';

export interface Writing extends Omit<GenerateOptions, 'signal' | 'previewEvery'> {
  /** Most previews of each image. */
  partialImages: number;
}

export type WritingEvent =
  | { type: 'text'; text: string }
  /** An image begins. */
  | { type: 'drawing' }
  | { type: 'partial'; index: number; image: RgbImage }
  | { type: 'image'; image: RgbImage }
  | { type: 'done'; reason: EndReason; tokens: number };

export function write(sampler: Sampler, writing: Writing, observer: Observer): Work<WritingEvent> {
  const { partialImages, ...options } = writing;
  return async (emit, signal) => {
    const { image = {}, size } = options;
    const every = previewEvery(sampler.config, { image, size, partialImages });
    let [tokens, index] = [0, 0];
    for await (const event of sampler.generate({ ...options, signal, previewEvery: every })) {
      if (event.type === 'token') {
        tokens++;
        observer.token();
      }
      if (event.type === 'token' || event.type === 'text') {
        if (event.text !== '') emit({ type: 'text', text: event.text });
      } else if (event.type === 'denoise') {
        observer.step();
        if (event.step === 1) {
          index = 0;
          emit({ type: 'drawing' });
        }
        if (event.preview && index < partialImages) emit({ type: 'partial', index: index++, image: event.preview });
      } else if (event.type === 'image') {
        observer.image();
        emit({ type: 'image', image: event.image });
      } else emit({ type: 'done', reason: event.reason, tokens });
      // Who asked may have left.
      await nextTask();
    }
  };
}
