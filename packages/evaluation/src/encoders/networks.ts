/** @file The parameters of both networks, and what they make of pictures and texts. */
import {
  type LinearParameters,
  type LinearWeight,
  linear,
  linearSpec,
  linearWeight,
  type ParameterSpec,
  project,
  vector,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import type { ClassifierConfig, DualEncoderConfig, EncoderConfig } from './config.js';
import { INITIAL_LOG_SCALE, unitLength } from './contrastive-loss.js';
import { type ConvolutionalParameters, convolutionalFeatures, convolutionalSpec } from './convolutional-tower.js';
import {
  imageFeatures,
  type TextInputs,
  type TextParameters,
  textFeatures,
  textSpec,
  type VisionParameters,
  visionSpec,
} from './towers.js';

export interface DualEncoderParameters<T = Tensor> {
  image: VisionParameters<T>;
  text: TextParameters<T>;
  /** [embedding, channels of the tower] */
  imageProjection: LinearWeight<T>;
  textProjection: LinearWeight<T>;
  /** [1]: see `similarityScale`. */
  logScale: T;
}

export interface ClassifierParameters<T = Tensor> {
  image: ConvolutionalParameters<T>;
  head: LinearParameters<T>;
}

export function dualEncoderSpec({ image, text, embedding }: DualEncoderConfig): DualEncoderParameters<ParameterSpec> {
  const projection = (inputs: number) => linearWeight([embedding, inputs], 1 / Math.sqrt(inputs));
  return {
    image: visionSpec(image),
    text: textSpec(text),
    imageProjection: projection(image.channels),
    textProjection: projection(text.channels),
    logScale: vector(1, INITIAL_LOG_SCALE),
  };
}

/** The head starts at zero: all classes are as likely. */
export function classifierSpec({ image, classes }: ClassifierConfig): ClassifierParameters<ParameterSpec> {
  const inputs = image.channels.at(-1)!;
  return { image: convolutionalSpec(image), head: linearSpec({ inputs, outputs: classes.length, std: 0 }) };
}

export function encoderSpec(config: EncoderConfig) {
  return config.model_type === 'dual-encoder' ? dualEncoderSpec(config) : classifierSpec(config);
}

/** Pictures [batch, side, side, 3] in [-1, 1] -> [batch, embedding], of length 1. */
export function embedImages(config: DualEncoderConfig, p: DualEncoderParameters, images: Tensor): Tensor {
  return unitLength(project(p.imageProjection, imageFeatures(config.image, p.image, images)));
}

/** Texts -> [batch, embedding], of length 1. */
export function embedTexts(config: DualEncoderConfig, p: DualEncoderParameters, inputs: TextInputs): Tensor {
  return unitLength(project(p.textProjection, textFeatures(config.text, p.text, inputs)));
}

/** Pictures -> the features before the head [batch, channels], and the logits of classes [batch, classes]. */
export function classifyImages(p: ClassifierParameters, images: Tensor): { features: Tensor; logits: Tensor } {
  const features = convolutionalFeatures(p.image, images);
  return { features, logits: linear(p.head, features) };
}
