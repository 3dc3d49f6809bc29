/** @file Every row, in the order of the table. */
import { attentionRow } from './attention.js';
import { matmulRow } from './matmul-1024.js';
import type { Row } from './row.js';
import { trainStepRow } from './train-step/index.js';

export const ROWS: readonly Row[] = [matmulRow, attentionRow, trainStepRow];
