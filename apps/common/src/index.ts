/** @file What the apps share. */
export { type AdapterChoice, adapterPath } from './adapter-path.js';
export { type BackendChoice, openBackend } from './backend.js';
export { type ConfigSources, mergedSources, withAssignments } from './config-sources.js';
export { modelPath } from './model-path.js';
export { backendChoice, number, rootCommand, runCommand, wholeNumber, withBackend } from './options.js';
export { createProgress, formatSeconds, type Progress, type ProgressOptions, withProgress } from './progress.js';
export { tellMissing } from './tell-missing.js';
export { runInTerminal, type Terminal } from './terminal.js';
