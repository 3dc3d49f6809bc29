/** @file Images on the device while they are denoised. */
import { type Evaluation, evaluationCoefficients, type GuidancePlan } from '@transfusion/schedulers';
import { createVariable, sizeOf, type Variable } from '@transfusion/tensor';
import {
  compileDenoiseStep,
  type DenoiseStep,
  type DenoiseStepOptions,
  type GuidanceBound,
  type ImageState,
  type KnownState,
} from './denoise-step.js';
import { type Fault, readFaultCode } from './fault-code.js';
import { Kept } from './kept.js';
import type { PositionArrays } from './position-arrays.js';

/** A value of an image's guided prediction that is not finite. */
export interface ImageFault extends Fault {
  /** From 0, as the evaluation. */
  image: number;
  evaluation: number;
}

export interface DenoiserOptions extends Omit<DenoiseStepOptions, 'images' | 'known' | 'bound' | 'guided'> {
  /** Each sequence of an image is followed by its unconditional one. */
  paired: boolean;
}

/** One image that is known in some places: see `KnownState`. */
export type KnownImage = KnownState<Float32Array>;

export interface DenoiserStart {
  /** [height, width, channels] of each image: pure noise, or a noised image. */
  samples: readonly Float32Array[];
  /** Of each image, where anything is known. */
  known?: readonly KnownImage[];
  guidance: GuidancePlan;
  /** Of all sequences, as for `DenoiseStep`; kept. */
  positions: PositionArrays;
  /** Of the conditional sequences alone, where they are paired. */
  conditionalPositions: PositionArrays;
}

/** Room for the images of a batch of sequences, and the compiled steps. Calls must be in order; nothing is read until asked for. */
export class Denoiser {
  readonly #options: DenoiserOptions;
  readonly #state: ImageState<Variable>;
  /** Made when it is first needed. */
  #known: KnownState<Variable> | undefined;
  readonly #steps = new Kept<DenoiseStep>();
  #begun: { start: DenoiserStart; guided?: DenoiseStep; unguided?: DenoiseStep } | undefined;

  /** @throws OutOfMemoryError */
  constructor(options: DenoiserOptions) {
    this.#options = options;
    this.#state = allocate((create) => {
      const { latents, perImage } = shapes(options);
      const samples = { sample: create(latents), x0: create(latents), anchor: create(latents), noise: create(latents) };
      return { ...samples, faultyEvaluation: create(perImage), fault: create(perImage) };
    }, options);
  }

  /** @throws OutOfMemoryError */
  async begin(start: DenoiserStart): Promise<void> {
    for (const variable of Object.values(this.#state)) write(variable, []);
    write(this.#state.sample, start.samples);
    if (start.known) this.#writeKnown(start.known);
    // Compiled here, so that `run` begins at once.
    const { scales } = start.guidance;
    const isNeeded = (guided: boolean) => scales.some((scale) => this.#isGuided(scale) === guided);
    const guided = isNeeded(true) ? await this.#step(start, true) : undefined;
    const unguided = isNeeded(false) ? await this.#step(start, false) : undefined;
    this.#begun = { start, guided, unguided };
  }

  /** Fresh noise for the evaluations that follow, [height, width, channels] of each image. */
  setNoise(noise: readonly Float32Array[]): void {
    write(this.#state.noise, noise);
  }

  /** Begins an evaluation of the plan, number `index` from 0. Fulfilled when it is done. */
  async run(evaluation: Evaluation, index: number): Promise<void> {
    const { start, guided, unguided } = this.#begun!;
    const { scales, rescale, renorm } = start.guidance;
    const isGuided = this.#isGuided(scales[index]);
    await (isGuided ? guided : unguided)!.run({
      positions: (isGuided ? start.positions : start.conditionalPositions).arrays,
      timestep: Float32Array.of(evaluation.timestep),
      guidance: Float32Array.of(scales[index]),
      guidanceBound: Float32Array.of(renorm ?? rescale),
      coefficients: evaluationCoefficients(evaluation),
      level: Float32Array.of(evaluation.to.signal, evaluation.to.noise),
      evaluation: Float32Array.of(index + 1),
    });
  }

  /** The images after the evaluations begun so far, [height, width, channels] each. */
  samples(): Promise<Float32Array[]> {
    return this.#read(this.#state.sample);
  }

  /** The latest estimates of the clean images, likewise. */
  estimates(): Promise<Float32Array[]> {
    return this.#read(this.#state.x0);
  }

  /** The first fault of the first image that has one. */
  async fault(): Promise<ImageFault | undefined> {
    const evaluations = await this.#state.faultyEvaluation.read();
    const image = evaluations.subarray(0, this.#count).findIndex((evaluation) => evaluation > 0);
    if (image < 0) return undefined;
    const [, ...shape] = this.#state.sample.shape;
    const code = (await this.#state.fault.read())[image];
    return { image, evaluation: evaluations[image] - 1, ...readFaultCode(code, sizeOf(shape)) };
  }

  dispose(): void {
    this.#steps.dispose();
    for (const variable of Object.values({ ...this.#state, ...this.#known })) variable.destroy();
  }

  get #count(): number {
    return this.#begun!.start.samples.length;
  }

  #isGuided(scale: number): boolean {
    return this.#options.paired && scale !== 1;
  }

  #writeKnown(images: readonly KnownImage[]): void {
    this.#known ??= allocate((create) => {
      const { latents } = shapes(this.#options);
      return { x0: create(latents), noise: create(latents), known: create([...latents.slice(0, 3), 1]) };
    }, this.#options);
    for (const name of ['x0', 'noise', 'known'] as const) {
      const values = images.map((image) => image[name]);
      write(this.#known[name], values);
    }
  }

  #step({ known, guidance }: DenoiserStart, guided: boolean): Promise<DenoiseStep> {
    const { batch, paired } = this.#options;
    const bound = guided ? boundOf(guidance) : 'none';
    return this.#steps.get(`${guided} ${bound} ${known !== undefined}`, () =>
      compileDenoiseStep({
        ...{ ...this.#options, guided, bound, images: this.#state },
        known: known && this.#known,
        // Without guidance the unconditional sequences are left out.
        batch: paired && !guided ? batch / 2 : batch,
      }),
    );
  }

  async #read(variable: Variable): Promise<Float32Array[]> {
    const values = await variable.read();
    const length = values.length / variable.shape[0];
    return Array.from({ length: this.#count }, (_, i) => values.slice(i * length, (i + 1) * length));
  }
}

function shapes({ batch, paired, latent }: DenoiserOptions): { latents: number[]; perImage: number[] } {
  const count = paired ? batch / 2 : batch;
  return { latents: [count, latent.height, latent.width, latent.channels], perImage: [count] };
}

function boundOf({ rescale, renorm }: GuidancePlan): GuidanceBound {
  if (renorm !== undefined) return 'renorm';
  return rescale === 0 ? 'none' : 'rescale';
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

/** One array per image, zeros after them. */
function write(variable: Variable, images: readonly Float32Array[]): void {
  const values = new Float32Array(sizeOf(variable.shape));
  images.forEach((image, i) => values.set(image, i * image.length));
  variable.write(values);
}
