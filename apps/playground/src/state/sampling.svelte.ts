/** @file What a form of drawing holds. */
import type { DrawRequest, ModelInfo } from '../engine/protocol.js';

type ImageOptions = DrawRequest['image'];

export class Sampling {
  seed = $state(0);
  steps = $state(25);
  guidance = $state(3);
  scheduler = $state('');
  negativePrompt = $state('');
  #model: string | undefined;
  #denoises = true;

  /** The model's own settings, where it is another model than before. */
  follow(model: ModelInfo): void {
    if (this.#model === model.id) return;
    this.#model = model.id;
    this.#denoises = model.denoises;
    this.steps = model.steps;
    this.guidance = model.guidance;
    this.scheduler = model.schedulers[0] ?? '';
    this.negativePrompt = '';
  }

  /** Of a picture that tells how it was drawn. */
  take({ steps, guidance, scheduler, negativePrompt }: Record<string, unknown>, model: ModelInfo | undefined): void {
    if (typeof steps === 'number') this.steps = steps;
    if (typeof guidance === 'number') this.guidance = guidance;
    if (typeof scheduler === 'string' && model?.schedulers.includes(scheduler)) this.scheduler = scheduler;
    this.negativePrompt = typeof negativePrompt === 'string' ? negativePrompt : '';
  }

  shuffle(): void {
    this.seed = Math.floor(Math.random() * 100_000);
  }

  options(): ImageOptions {
    const { guidance, steps, scheduler, negativePrompt } = this;
    const denoising = this.#denoises ? { steps, scheduler: scheduler as ImageOptions['scheduler'] } : {};
    return { guidance, ...denoising, ...(negativePrompt !== '' && guidance !== 1 && { negativePrompt }) };
  }
}
