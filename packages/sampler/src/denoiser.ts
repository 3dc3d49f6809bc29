/** @file Images on the device while they are denoised. */
import { type Evaluation, evaluationCoefficients, type GuidancePlan } from '@transfusion/schedulers';
import { createVariable, sizeOf, type Variable } from '@transfusion/tensor';
import {
  compileDenoiseStep,
  type DenoiseStep,
  type DenoiseStepOptions,
  type DenoiseVariant,
  type GuidanceBound,
  type ImageState,
  type KnownState,
} from './denoise-step.js';
import { type Fault, readFaultCode } from './fault-code.js';
import { Kept } from './kept.js';
import { type ImagePlaces, PositionArrays } from './position-arrays.js';

/** A value of an image's guided prediction that is not finite. */
export interface ImageFault extends Fault {
  /** From 0, as the evaluation. */
  image: number;
  evaluation: number;
}

export interface DenoiserOptions extends Omit<DenoiseStepOptions, 'images' | 'known' | 'variant' | 'count'> {
  /** Images that there is room for. */
  places: number;
  /** Rounds the images of a call up, so that few functions are compiled. */
  callSize: (images: number) => number;
}

/** One image that is known in some places: see `KnownState`. */
export type KnownImage = KnownState<Float32Array>;

/** An image that is denoised. */
export interface StartedImage {
  /** Which of the denoiser's places it takes, from 0. */
  place: number;
  /** [height, width, channels]: pure noise, or a noised image. */
  sample: Float32Array;
  /** Where anything is known. */
  known?: KnownImage;
  guidance: GuidancePlan;
  /** Where it stands in its sequence and, where anything is guided, in that of its unconditional context. */
  conditional: ImagePlaces;
  unconditional?: ImagePlaces;
}

/** What is to be done to one image next. */
export interface ImageEvaluation {
  image: StartedImage;
  evaluation: Evaluation;
  /** Of the evaluation in its plan, from 0. */
  index: number;
  /** Fresh for this evaluation, [height, width, channels]; default: that of the one before. */
  noise?: Float32Array;
}

/** Room for some images, and the compiled steps. Calls must be in order; nothing is read until asked for. */
export class Denoiser {
  readonly #options: DenoiserOptions;
  readonly #state: ImageState<Variable>;
  /** Made when it is first needed. */
  #known: KnownState<Variable> | undefined;
  readonly #steps = new Kept<DenoiseStep>();

  /** @throws OutOfMemoryError */
  constructor(options: DenoiserOptions) {
    this.#options = options;
    this.#state = allocate((create) => {
      const { latents, perImage } = shapes(options);
      const samples = { sample: create(latents), x0: create(latents), anchor: create(latents), noise: create(latents) };
      return { ...samples, faultyEvaluation: create(perImage), fault: create(perImage) };
    }, options);
  }

  /** Puts images in their places, and compiles what a call on all of them needs. @throws OutOfMemoryError */
  async start(images: readonly StartedImage[]): Promise<void> {
    for (const { place, sample, known } of images) {
      for (const variable of Object.values(this.#state)) writePlace(variable, place);
      writePlace(this.#state.sample, place, sample);
      if (known) this.#writeKnown(place, known);
    }
    for (const variant of variantsOf(images)) await this.#step(this.#options.callSize(images.length), variant);
  }

  /** Begins an evaluation of some images, all of one variant. Fulfilled when it is done. */
  async run(evaluations: readonly ImageEvaluation[]): Promise<void> {
    const variant = variantOf(evaluations[0]);
    const count = this.#options.callSize(evaluations.length);
    const step = await this.#step(count, variant);
    const perImage = (width: number) => new Float32Array(count * width);
    const inputs = {
      places: new Int32Array(count).fill(-1),
      timestep: perImage(1),
      guidance: perImage(1).fill(1),
      guidanceBound: perImage(1),
      coefficients: perImage(evaluationCoefficients(evaluations[0].evaluation).length),
      level: perImage(2),
      evaluation: perImage(1),
    };
    for (const [i, { image, evaluation, index, noise }] of evaluations.entries()) {
      const { scales, rescale, renorm } = image.guidance;
      const coefficients = evaluationCoefficients(evaluation);
      inputs.places[i] = image.place;
      inputs.timestep[i] = evaluation.timestep;
      inputs.guidance[i] = scales[index];
      inputs.guidanceBound[i] = renorm ?? rescale;
      inputs.coefficients.set(coefficients, i * coefficients.length);
      inputs.level.set([evaluation.to.signal, evaluation.to.noise], 2 * i);
      inputs.evaluation[i] = index + 1;
      if (noise) writePlace(this.#state.noise, image.place, noise);
    }
    await step.run({ ...inputs, positions: positionsOf(evaluations, count, variant) });
  }

  /** The images after the evaluations begun so far, [height, width, channels] each. */
  samples(images: readonly StartedImage[]): Promise<Float32Array[]> {
    return this.#read(this.#state.sample, images);
  }

  /** The latest estimates of the clean images, likewise. */
  estimates(images: readonly StartedImage[]): Promise<Float32Array[]> {
    return this.#read(this.#state.x0, images);
  }

  /** The first fault of the first of the images that has one. */
  async fault(images: readonly StartedImage[]): Promise<ImageFault | undefined> {
    const evaluations = await this.#state.faultyEvaluation.read();
    const image = images.findIndex(({ place }) => evaluations[place] > 0);
    if (image < 0) return undefined;
    const [, ...shape] = this.#state.sample.shape;
    const { place } = images[image];
    const code = (await this.#state.fault.read())[place];
    return { image, evaluation: evaluations[place] - 1, ...readFaultCode(code, sizeOf(shape)) };
  }

  dispose(): void {
    this.#steps.dispose();
    for (const variable of Object.values({ ...this.#state, ...this.#known })) variable.destroy();
  }

  #writeKnown(place: number, image: KnownImage): void {
    this.#known ??= allocate((create) => {
      const { latents } = shapes(this.#options);
      return { x0: create(latents), noise: create(latents), known: create([...latents.slice(0, 3), 1]) };
    }, this.#options);
    for (const name of ['x0', 'noise', 'known'] as const) writePlace(this.#known[name], place, image[name]);
  }

  #step(count: number, variant: DenoiseVariant): Promise<DenoiseStep> {
    const { guided, bound, known } = variant;
    return this.#steps.get(`${count} ${guided} ${bound} ${known}`, () =>
      compileDenoiseStep({
        ...{ ...this.#options, count, variant, images: this.#state },
        known: known ? this.#known : undefined,
      }),
    );
  }

  async #read(variable: Variable, images: readonly StartedImage[]): Promise<Float32Array[]> {
    const values = await variable.read();
    const length = lengthOf(variable);
    return images.map(({ place }) => values.slice(place * length, (place + 1) * length));
  }
}

/** What may not be mixed in a call. */
export function variantName(evaluation: ImageEvaluation): string {
  const { guided, bound, known } = variantOf(evaluation);
  return `${guided} ${bound} ${known}`;
}

function variantOf({ image, index }: Pick<ImageEvaluation, 'image' | 'index'>): DenoiseVariant {
  const { guidance, unconditional, known } = image;
  const guided = unconditional !== undefined && guidance.scales[index] !== 1;
  return { guided, bound: guided ? boundOf(guidance) : 'none', known: known !== undefined };
}

/** All that the images' plans need. */
function variantsOf(images: readonly StartedImage[]): DenoiseVariant[] {
  const all = images.flatMap((image) => image.guidance.scales.map((_, index) => variantOf({ image, index })));
  return [...new Map(all.map((variant) => [JSON.stringify(variant), variant])).values()];
}

function boundOf({ rescale, renorm }: GuidancePlan): GuidanceBound {
  if (renorm !== undefined) return 'renorm';
  return rescale === 0 ? 'none' : 'rescale';
}

function positionsOf(evaluations: readonly ImageEvaluation[], count: number, { guided }: DenoiseVariant) {
  const sequences = evaluations.flatMap(({ image: { conditional, unconditional } }) =>
    guided ? [conditional, unconditional!] : [conditional],
  );
  return new PositionArrays(guided ? 2 * count : count, sequences[0].length, sequences).arrays;
}

function shapes({ places, latent }: DenoiserOptions): { latents: number[]; perImage: number[] } {
  return { latents: [places, latent.height, latent.width, latent.channels], perImage: [places] };
}

/** All that `make` creates, or nothing. */
function allocate<State>(make: (create: (shape: number[]) => Variable) => State, { backend }: DenoiserOptions): State {
  const made: Variable[] = [];
  try {
    return make((shape) => {
      const variable = createVariable(backend, { shape });
      made.push(variable);
      return variable;
    });
  } catch (error) {
    for (const variable of made) variable.destroy();
    throw error;
  }
}

/** Elements of one place. */
function lengthOf({ shape: [, ...own] }: Variable): number {
  return sizeOf(own);
}

/** @param values default: zeros */
function writePlace(variable: Variable, place: number, values: Float32Array = new Float32Array(lengthOf(variable))) {
  variable.buffer.write(values, place * values.length);
}
