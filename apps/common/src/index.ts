/** @file What the apps share. */
export { type BackendChoice, openBackend } from './backend.js';
export { backendChoice, number, rootCommand, runCommand, wholeNumber, withBackend } from './options.js';
export { createProgress, formatSeconds, type Progress, type ProgressOptions } from './progress.js';
export { processTerminal, type Terminal } from './terminal.js';
