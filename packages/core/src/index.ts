/** @file @transfusion/core: the error that every package throws, configurations checked at the door, a turn for the event loop. */
export { describeKind, tagOf } from './describe-value.js';
export { type ForeignFile, identifyText } from './foreign-text.js';
export { nearestName } from './nearest-name.js';
export { nextTask } from './next-task.js';
export { type ParseConfigOptions, parseConfig } from './parse-config.js';
export { reason, TransfusionError, type TransfusionErrorOptions } from './transfusion-error.js';
