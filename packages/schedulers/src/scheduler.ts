/** @file What all samplers share: diffusers' contract over host arrays, and the same step as numbers for a graph. */
import { TransfusionError } from '@transfusion/core';
import { createNoiseSchedule, type NoiseLevel, type NoiseSchedule } from './noise-schedule.js';
import { defaultNoiseSchedule, type ObjectiveConfig, type ObjectiveOptions } from './objective.js';
import { checkSameLength, conversionCoefficients } from './parameterisation.js';

export type FloatArray = Float32Array | Float64Array;

/** One sampling step as numbers: `previous = sample * x_t + prediction * (network output) + noise * z`. */
export interface StepCoefficients {
  readonly sample: number;
  readonly prediction: number;
  readonly noise: number;
}

/**
 * One sampling step through an estimate of the clean image, which may be clamped on the way:
 * `x0 = clamp(x0FromSample * x_t + x0FromPrediction * (network output), -clamp, clamp)`, then
 * `previous = previousFromSample * x_t + previousFromX0 * x0 + previousFromNoise * z`.
 */
export interface X0StepCoefficients {
  readonly x0FromSample: number;
  readonly x0FromPrediction: number;
  /** Infinity where nothing is clamped. */
  readonly clamp: number;
  readonly previousFromSample: number;
  readonly previousFromX0: number;
  readonly previousFromNoise: number;
}

/** How x_previous follows from x_t, x0 and fresh noise. */
export interface Transition {
  readonly sample: number;
  readonly x0: number;
  readonly noise: number;
}

export interface SchedulerConfig extends ObjectiveConfig {
  readonly type: string;
  readonly clampSample?: number | null;
}

export interface StepOptions<Values extends FloatArray> {
  /** The network's output for `sample`, any shape, flattened. */
  prediction: FloatArray;
  /** Which entry of `timesteps` the sample is at; 0 is the noisiest. */
  stepIndex: number;
  /** x_t */
  sample: Values;
  /** Unit Gaussian noise; needed where the step is random. */
  noise?: FloatArray;
}

/**
 * Walks from noise to image. Call `setTimesteps(n)`, then for each `i` of `timesteps` run the network on the sample at
 * `timesteps[i]` and pass its output to `step`.
 */
export abstract class Scheduler<Config extends SchedulerConfig = SchedulerConfig> {
  readonly noiseSchedule: NoiseSchedule;
  #timesteps: readonly number[] = [];

  protected constructor(
    /** Complete and JSON-serialisable: `fromConfig(config)` makes an equal scheduler. */
    readonly config: Config,
  ) {
    this.noiseSchedule = createNoiseSchedule(config.noiseSchedule);
  }

  /** The timesteps that `setTimesteps` chose, noisiest first; the network is told these. */
  get timesteps(): readonly number[] {
    return this.#timesteps;
  }

  /**
   * Chooses the timesteps of a run.
   *
   * @throws TransfusionError `SCHEDULER_STEPS_RANGE`
   */
  setTimesteps(steps: number): void {
    this.#timesteps = Object.freeze(this.chooseTimesteps(steps));
  }

  /**
   * The sample one step nearer to the image, computed in f64, in an array of the sample's type.
   *
   * @throws TransfusionError `SCHEDULER_LENGTH_MISMATCH`, `SCHEDULER_STEP_INDEX`, `SCHEDULER_NOISE_MISSING`
   */
  step<Values extends FloatArray>({ prediction, stepIndex, sample, noise }: StepOptions<Values>): Values {
    const c = this.x0StepCoefficients(stepIndex);
    checkSameLength('sample', sample, 'prediction', prediction);
    if (noise) checkSameLength('sample', sample, 'noise', noise);
    else if (c.previousFromNoise !== 0) {
      throw new TransfusionError({
        code: 'SCHEDULER_NOISE_MISSING',
        message: `step ${stepIndex} of ${this.config.type} adds noise times ${c.previousFromNoise}, but no noise was given`,
        fix: 'pass `noise`, as many unit Gaussian values as `sample`, or use ddim with eta 0',
      });
    }
    return sample.map((value, i) => {
      const x0 = c.x0FromSample * value + c.x0FromPrediction * prediction[i];
      const clamped = Math.min(Math.max(x0, -c.clamp), c.clamp);
      const mean = c.previousFromSample * value + c.previousFromX0 * clamped;
      return noise ? mean + c.previousFromNoise * noise[i] : mean;
    }) as Values;
  }

  /**
   * The step as three numbers, so that a graph can take it with numbers as data.
   *
   * @throws TransfusionError `SCHEDULER_NOT_LINEAR` where x0 is clamped: use `x0StepCoefficients`
   */
  stepCoefficients(stepIndex: number): StepCoefficients {
    const c = this.x0StepCoefficients(stepIndex);
    if (c.clamp !== Number.POSITIVE_INFINITY) {
      throw new TransfusionError({
        code: 'SCHEDULER_NOT_LINEAR',
        message: `clampSample is ${c.clamp}, and a clamped step is not a linear combination`,
        fix: 'use x0StepCoefficients, or set clampSample to null',
      });
    }
    return {
      sample: c.previousFromSample + c.previousFromX0 * c.x0FromSample,
      prediction: c.previousFromX0 * c.x0FromPrediction,
      noise: c.previousFromNoise,
    };
  }

  /**
   * The step as numbers, clamped or not.
   *
   * @throws TransfusionError `SCHEDULER_STEP_INDEX`
   */
  x0StepCoefficients(stepIndex: number): X0StepCoefficients {
    const timestep = this.#timesteps[stepIndex];
    if (timestep === undefined) throw this.#stepIndexError(stepIndex);
    const current = this.noiseSchedule.level(timestep);
    const previous = this.noiseSchedule.level(this.#timesteps[stepIndex + 1] ?? -1);
    const x0 = conversionCoefficients({ from: this.config.parameterisation, to: 'sample', level: current });
    const transition = this.transition(current, previous);
    return {
      x0FromSample: x0.sample,
      x0FromPrediction: x0.prediction,
      clamp: this.config.clampSample ?? Number.POSITIVE_INFINITY,
      previousFromSample: transition.sample,
      previousFromX0: transition.x0,
      previousFromNoise: transition.noise,
    };
  }

  /**
   * `x_t = signal * x0 + noise * epsilon`, in an array of the sample's type.
   *
   * @param options.sample the clean x0, any shape, flattened
   * @param options.timestep `0 .. trainTimesteps - 1`
   */
  addNoise<Values extends FloatArray>(options: { sample: Values; noise: FloatArray; timestep: number }): Values {
    const { sample, noise, timestep } = options;
    checkSameLength('sample', sample, 'noise', noise);
    const level = this.noiseSchedule.level(timestep);
    return sample.map((value, i) => level.signal * value + level.noise * noise[i]) as Values;
  }

  protected abstract chooseTimesteps(steps: number): number[];

  protected abstract transition(current: NoiseLevel, previous: NoiseLevel): Transition;

  #stepIndexError(stepIndex: number): TransfusionError {
    const count = this.#timesteps.length;
    return new TransfusionError({
      code: 'SCHEDULER_STEP_INDEX',
      message: count === 0 ? 'no timesteps are set' : `stepIndex is ${stepIndex}, but there are ${count} timesteps`,
      fix: count === 0 ? 'call setTimesteps(n) first' : `use an index from 0 to ${count - 1}`,
    });
  }
}

/**
 * `x_previous = previousSignal * x0 + epsilonWeight * epsilon + noise * z` with epsilon written as
 * `(x_t - signal * x0) / currentNoise`.
 */
export function transitionAlongEpsilon(options: {
  current: NoiseLevel;
  previous: NoiseLevel;
  epsilonWeight: number;
  noise: number;
}): Transition {
  const { current, previous, epsilonWeight, noise } = options;
  const sample = epsilonWeight / current.noise;
  return { sample, x0: previous.signal - sample * current.signal, noise };
}

/**
 * The parsed configuration with its noise schedule resolved, frozen.
 *
 * @throws TransfusionError `SCHEDULER_CONFIG_INVALID` for a noise schedule on which the step rule is not defined
 */
export function resolveSchedulerConfig<
  Parsed extends Required<Pick<ObjectiveOptions, 'parameterisation'>> & ObjectiveOptions & { type: string },
>(parsed: Parsed, supported: 'cosine' | 'flow'): Omit<Parsed, 'noiseSchedule'> & ObjectiveConfig {
  const noiseSchedule = createNoiseSchedule(
    parsed.noiseSchedule ?? defaultNoiseSchedule(parsed.parameterisation),
  ).config;
  if (noiseSchedule.type !== supported) {
    throw new TransfusionError({
      code: 'SCHEDULER_CONFIG_INVALID',
      message: `${parsed.type} is defined on the ${supported} schedule; the noise schedule is ${noiseSchedule.type} (parameterisation ${parsed.parameterisation})`,
      fix: noiseSchedule.type === 'flow' ? 'use the euler scheduler' : 'use ddim or ddpm',
    });
  }
  return Object.freeze({ ...parsed, noiseSchedule });
}
