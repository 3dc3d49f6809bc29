/** @file What a model card is made of. */
import type { PipelineConfig } from '@transfusion/sampler';
import type { RunConfig } from '../config/run-config.js';
import type { Score } from './evaluation-file.js';

export interface ModelCard {
  /** As a package or the Hub has it: "@transfusion/emoji-64". */
  name: string;
  /** SPDX id of the weights' licence. */
  license: string;
  model: PipelineConfig;
  /** Values of the autoencoder's weights; 0 where it has none. */
  codecParameters: number;
  /** What made it; counts of what it was trained on, where they were kept. */
  run: { config: RunConfig; step: number; trainSeconds: number; pictures?: number; texts?: number; documents?: number };
  /** `trainer train ...`; undefined where none says it. */
  command?: string;
  scores: readonly Score[];
  /** A file, seen from the card. */
  picture?: string;
  /** What a run does not know: machine, backend, how often it was resumed. */
  notes: readonly string[];
  /** Sources of data beside those that are known, with their licences. */
  sources: readonly string[];
  /** Beside those that follow from the model. */
  limits: readonly string[];
}
