export * from './errors.js';
export * from './program/backend.js';
export * from './program/kernels.js';
export * from './program/program.js';
