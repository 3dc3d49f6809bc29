/** @file The conformance suite: every operation over shapes that do not divide tiles, and chains that exercise fusion. */

import { attentionBetweenProducts, attentionCases } from './attention-cases.js';
import type { ConformanceCase } from './case.js';
import { convolutionCases } from './convolution-cases.js';
import { detachCases } from './detach-cases.js';
import { elementwiseCases } from './elementwise-cases.js';
import { matmulCases } from './matmul-cases.js';
import { movementCases } from './movement-cases.js';
import { rowCases } from './row-cases.js';
import { trainingCases } from './training-cases.js';

export const conformanceCases: readonly ConformanceCase[] = [
  ...elementwiseCases,
  ...movementCases,
  ...matmulCases,
  ...rowCases,
  ...attentionCases,
  ...convolutionCases,
  ...detachCases,
  ...trainingCases,
  // Last: the numbers of a case depend on how many were drawn before.
  attentionBetweenProducts(),
];
