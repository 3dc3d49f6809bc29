/** @file What the host calls. */
export { run, work, fail, quit } from './runtime';
export { probe } from './probe';
