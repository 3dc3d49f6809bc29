/** @file Images on the device while they are denoised. */
import { type Evaluation, evaluationCoefficients } from '@transfusion/schedulers';
import { createVariable, sizeOf, type Variable } from '@transfusion/tensor';
import { compileDenoiseStep, type DenoiseStep, type DenoiseStepOptions, type ImageState } from './denoise-step.js';
import { type Fault, readFaultCode } from './fault-code.js';
import type { PositionArrays } from './position-arrays.js';

/** A value of an image's guided prediction that is not finite. */
export interface ImageFault extends Fault {
  /** From 0, as the evaluation. */
  image: number;
  evaluation: number;
}

/** Room for the images of a batch of sequences, and the compiled step. Calls must be in order; nothing is read until asked for. */
export class Denoiser {
  readonly #state: ImageState<Variable>;
  readonly #step: DenoiseStep;
  #positions: PositionArrays['arrays'] | undefined;
  #count = 0;

  private constructor(state: ImageState<Variable>, step: DenoiseStep) {
    this.#state = state;
    this.#step = step;
  }

  /** @throws OutOfMemoryError */
  static async open(options: Omit<DenoiseStepOptions, 'images'>): Promise<Denoiser> {
    const { backend, batch, guided, latent } = options;
    const count = guided ? batch / 2 : batch;
    const made: Variable[] = [];
    const create = (...shape: number[]) => {
      const variable = createVariable(backend, { shape });
      made.push(variable);
      return variable;
    };
    const latents = () => create(count, latent.height, latent.width, latent.channels);
    try {
      const samples = { sample: latents(), x0: latents(), anchor: latents(), noise: latents() };
      const images = { ...samples, faultyEvaluation: create(count), fault: create(count) };
      return new Denoiser(images, await compileDenoiseStep({ ...options, images }));
    } catch (error) {
      for (const variable of made) variable.destroy();
      throw error;
    }
  }

  /**
   * Begins with pure noise.
   *
   * @param noise [height, width, channels] of each image
   * @param positions of all sequences, as for `DenoiseStep`; kept
   */
  begin(noise: readonly Float32Array[], positions: PositionArrays): void {
    this.#positions = positions.arrays;
    this.#count = noise.length;
    for (const variable of Object.values(this.#state)) write(variable, []);
    write(this.#state.sample, noise);
  }

  /** Fresh noise for the evaluations that follow, like that to `begin` with. */
  setNoise(noise: readonly Float32Array[]): void {
    write(this.#state.noise, noise);
  }

  /** Begins an evaluation of the plan, number `index` from 0. Fulfilled when it is done. */
  async run(evaluation: Evaluation, { index, guidance }: { index: number; guidance: number }): Promise<void> {
    await this.#step.run({
      positions: this.#positions!,
      timestep: Float32Array.of(evaluation.timestep),
      guidance: Float32Array.of(guidance),
      coefficients: evaluationCoefficients(evaluation),
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
    this.#step.dispose();
    for (const variable of Object.values(this.#state)) variable.destroy();
  }

  async #read(variable: Variable): Promise<Float32Array[]> {
    const values = await variable.read();
    const length = values.length / variable.shape[0];
    return Array.from({ length: this.#count }, (_, i) => values.slice(i * length, (i + 1) * length));
  }
}

/** One array per image, zeros after them. */
function write(variable: Variable, images: readonly Float32Array[]): void {
  const values = new Float32Array(sizeOf(variable.shape));
  images.forEach((image, i) => values.set(image, i * image.length));
  variable.write(values);
}
