/** @file Which examples a step trains on, and how: pure functions of (seed, step), so that resuming needs no state. */
import { TransfusionError } from '@transfusion/core';
import { PhiloxStream } from '@transfusion/tensor';
import type { CaptionOrder } from './grammar.js';
import { RandomPurpose } from './random-purpose.js';

/** The order in which epoch `epoch` visits `examples` examples: a permutation of 0 .. examples - 1. */
export function epochOrder(options: {
  seed: number;
  epoch: number;
  examples: number;
  /** Of the draws (see `RandomPurpose`); default: `epochOrder`. */
  purpose?: number;
}): Uint32Array {
  const order = Uint32Array.from({ length: options.examples }, (_, i) => i);
  return new PhiloxStream(options.seed, options.purpose ?? RandomPurpose.epochOrder, options.epoch).shuffle(order);
}

/** The function from a position to an example: all of them epoch by epoch, each epoch in its own order. */
export function epochWalk(options: { seed: number; examples: number; purpose?: number }): (position: number) => number {
  const { seed, examples, purpose } = options;
  let cached: { epoch: number; order: Uint32Array } = { epoch: -1, order: new Uint32Array(0) };
  return (position) => {
    const epoch = Math.floor(position / examples);
    if (epoch !== cached.epoch) cached = { epoch, order: epochOrder({ seed, epoch, examples, purpose }) };
    return cached.order[position % examples];
  };
}

/** One example of a step. */
export interface ExampleChoice {
  /** Index into the training examples. */
  example: number;
  order: CaptionOrder;
  /** For classifier-free guidance; only ever true in caption-first order. */
  dropCaption: boolean;
  /** The same for an example that is a document: its texts are dropped (see `withoutTexts`). */
  dropTexts: boolean;
}

/**
 * Returns the function from a step to its examples. Steps walk through the examples epoch by epoch, each epoch in its
 * own order; an epoch's end may fall inside a step. The function's result depends on the options, the step and, where steps do
 * not all take equally many, on the positions given: `count` examples from position `from` of the walk through all epochs.
 */
export function exampleSampler(options: {
  seed: number;
  /** How many training examples there are. */
  examples: number;
  examplesPerStep: number;
  /** Default 0.2 (paper section 4.1: caption first 80% of the time). */
  imageFirstProbability?: number;
  /** Of the caption-first examples; default 0.1. */
  captionDropout?: number;
  /** Of the documents; default: `captionDropout`. */
  documentDropout?: number;
  /** Of the draws, for a second walk beside another; default: `example` and `epochOrder` of `RandomPurpose`. */
  purposes?: { choice: number; order: number };
  /** The example at a position of the walk; default: `epochWalk`. */
  exampleAt?: (position: number) => number;
}): (step: number, positions?: { from: number; count: number }) => ExampleChoice[] {
  const { seed, examples, examplesPerStep, imageFirstProbability = 0.2, captionDropout = 0.1 } = options;
  const { documentDropout = captionDropout, purposes } = options;
  if (!(Number.isInteger(examples) && examples > 0)) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: `exampleSampler: there are ${examples} training examples, expected at least 1`,
      fix: 'use a larger data set, or hold out a smaller part of it',
    });
  }
  const { exampleAt = epochWalk({ seed, examples, purpose: purposes?.order }) } = options;
  return (step, { from, count } = { from: step * examplesPerStep, count: examplesPerStep }) => {
    const stream = new PhiloxStream(seed, purposes?.choice ?? RandomPurpose.example, step);
    return Array.from({ length: count }, (_, i) => {
      const imageFirst = stream.uniform() < imageFirstProbability;
      // Drawn always, so that an example's numbers do not depend on the examples before it.
      const drop = stream.uniform();
      return {
        example: exampleAt(from + i),
        order: imageFirst ? 'image-first' : 'caption-first',
        dropCaption: drop < captionDropout && !imageFirst,
        dropTexts: drop < documentDropout,
      };
    });
  };
}

/**
 * Splits 0 .. count - 1 into training and held-out indices, both ascending. `fraction` of them (rounded, but at least
 * one if fraction > 0) are held out, chosen by the seed.
 */
export function splitHeldOut(options: { count: number; fraction: number; seed: number }): {
  train: number[];
  heldOut: number[];
} {
  const { count, fraction, seed } = options;
  if (!(fraction >= 0 && fraction < 1)) {
    throw new TransfusionError({
      code: 'DATA_HELD_OUT_FRACTION',
      message: `splitHeldOut: fraction is ${fraction}, expected 0 <= fraction < 1`,
    });
  }
  const wanted = fraction === 0 ? 0 : Math.max(1, Math.round(count * fraction));
  const held = Math.min(wanted, Math.max(0, count - 1));
  const order = new PhiloxStream(seed, RandomPurpose.heldOut).shuffle(Array.from({ length: count }, (_, i) => i));
  const ascending = (a: number, b: number) => a - b;
  return { train: order.slice(held).sort(ascending), heldOut: order.slice(0, held).sort(ascending) };
}
