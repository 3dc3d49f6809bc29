/** @file @transfusion/tensor/conformance: what every backend has to get right, as data and two checks. */
export { type CaseInput, type ConformanceCase, ids, integers, normal, uniform, values } from './case.js';
export { conformanceCases } from './cases.js';
export {
  checkGradients,
  checkOnBackend,
  differentiableInputs,
  type Mismatch,
  type RunOptions,
  runOnBackend,
} from './check.js';
