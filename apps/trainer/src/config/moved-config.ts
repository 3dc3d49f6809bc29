/** @file A run that is looked at where its data are not what they were called when it was trained. */
import { TransfusionError } from '@transfusion/core';
import { changeConfig } from './resolve-config.js';
import { type RunConfig, runConfigSchema } from './run-config.js';

const PLACES = ['data.folder', 'data.texts', 'data.documents'];

/** The configuration with other places of the same data. @throws TransfusionError CONFIG_MOVED: anything else is set */
export function movedConfig(config: RunConfig, set: readonly string[]): RunConfig {
  // A LoRA's model may have moved; what it was is checked.
  const places = config.lora ? [...PLACES, 'finetune'] : PLACES;
  const refused = set.find((assignment) => !places.includes(assignment.split('=')[0]));
  if (refused === undefined) return changeConfig(runConfigSchema, config, set);
  throw new TransfusionError({
    code: 'CONFIG_MOVED',
    message: `a run keeps its configuration; got --set ${refused}`,
    fix: `only where its data are may be set: ${places.join(', ')}`,
  });
}
