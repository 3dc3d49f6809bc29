/** @file @transfusion/core: the error that every package throws, and configurations checked at the door. */
export { describeKind, tagOf } from './describe-value.js';
export { type ForeignFile, identifyText } from './foreign-text.js';
export { nearestName } from './nearest-name.js';
export { type ParseConfigOptions, parseConfig } from './parse-config.js';
export { reason, TransfusionError, type TransfusionErrorOptions } from './transfusion-error.js';
