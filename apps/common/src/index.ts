/** @file What the apps share. */
export { type BackendChoice, openBackend } from './backend.js';
export { createProgress, formatSeconds, type Progress, type ProgressOptions } from './progress.js';
export { reportError } from './report-error.js';
export { processTerminal, type Terminal } from './terminal.js';
