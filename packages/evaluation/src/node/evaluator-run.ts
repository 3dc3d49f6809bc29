/** @file The checkpoint of a run of `trainer evaluator`. */
import type { Tokenizer } from '@transfusion/tokenizer';
import { type LoadedRun, openRun, readNamedRun } from '@transfusion/training/node';
import type { z } from 'zod';
import type { EncoderConfig } from '../encoders/config.js';
import { readEncoderFiles } from '../encoders/stored-encoder.js';

export interface LoadedEvaluatorRun<Config> extends LoadedRun<Config> {
  encoder: EncoderConfig;
  /** Of a dual encoder. */
  tokenizer?: Tokenizer;
}

/** @throws CheckpointError; TokenizerError; TransfusionError RUN_NOT_RESUMABLE, RUN_KIND, ENCODER_FOLDER, CONFIG_INVALID */
export function loadEvaluatorRun<Config>(
  folder: string,
  config: z.ZodType<Config>,
): Promise<LoadedEvaluatorRun<Config>> {
  return openRun(folder, 'evaluator', async (reader) => {
    const run = await readNamedRun(reader, 'evaluator', config);
    const { config: encoder, tokenizer } = await readEncoderFiles(reader);
    return { ...run, encoder, tokenizer };
  });
}
