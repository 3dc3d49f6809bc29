/** @file @transfusion/tensor/conformance: what every backend has to get right and what it has to refuse, as data and checks. */
export type { CaseInput, ConformanceCase } from './case.js';
export { conformanceCases } from './cases.js';
export { checkOnBackend, type Mismatch, type RunOptions, runOnBackend } from './check.js';
export { type FaultCase, type FaultReport, faultCases, type OpenBackend, reportFault } from './faults.js';
export { checkMarks } from './marks.js';
