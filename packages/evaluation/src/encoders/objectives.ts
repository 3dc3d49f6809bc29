/** @file What both networks are trained for, traced. */
import { crossEntropy, f32, i32, type TensorSpec } from '@transfusion/tensor';
import type { Objective } from '@transfusion/training';
import type { ClassifierConfig, DualEncoderConfig } from './config.js';
import { contrastiveLoss, similarityScale } from './contrastive-loss.js';
import {
  type ClassifierParameters,
  classifierSpec,
  classifyImages,
  type DualEncoderParameters,
  dualEncoderSpec,
  embedImages,
  embedTexts,
} from './networks.js';
import { textInputs } from './text-tokens.js';
import type { TextInputs } from './towers.js';

export interface DualEncoderInputs extends TextInputs<TensorSpec> {
  /** [batch, side, side, 3] in [-1, 1] */
  images: TensorSpec;
  /** [batch, batch]: see `contrastiveLoss`. */
  alsoTrue: TensorSpec;
}

export interface ClassifierInputs {
  /** [batch, side, side, 3] in [-1, 1] */
  images: TensorSpec;
  /** i32 [batch] */
  labels: TensorSpec;
}

export function dualEncoderObjective(
  config: DualEncoderConfig,
  batch: number,
): Objective<DualEncoderInputs, DualEncoderParameters> {
  const { imageSize } = config.image;
  return {
    parameters: dualEncoderSpec(config),
    inputs: {
      images: f32(batch, imageSize, imageSize, 3),
      ...textInputs(batch, config.text.maxTokens),
      alsoTrue: f32(batch, batch),
    },
    losses({ parameters }, { images, alsoTrue, ...texts }) {
      const loss = contrastiveLoss({
        images: embedImages(config, parameters, images),
        texts: embedTexts(config, parameters, texts),
        logScale: parameters.logScale,
        alsoTrue,
      });
      return { total: loss, terms: { contrastive: loss, scale: similarityScale(parameters.logScale) } };
    },
  };
}

export function classifierObjective(
  config: ClassifierConfig,
  batch: number,
): Objective<ClassifierInputs, ClassifierParameters> {
  const { imageSize } = config.image;
  return {
    parameters: classifierSpec(config),
    inputs: { images: f32(batch, imageSize, imageSize, 3), labels: i32(batch) },
    losses({ parameters }, { images, labels }) {
      const loss = crossEntropy(classifyImages(parameters, images).logits, labels).mean();
      return { total: loss, terms: { crossEntropy: loss } };
    },
  };
}
