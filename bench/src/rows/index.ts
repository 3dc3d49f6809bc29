/** @file Every row, in the order of the table. */
import { attentionRow } from './attention.js';
import { autoencoderStepRow } from './autoencoder-step/index.js';
import { conv2dRow } from './conv2d.js';
import { decodeTokenRow } from './decode-token.js';
import { denoiseStepRow } from './denoise-step.js';
import { matmulRow } from './matmul-1024.js';
import { matmulGpuRow } from './matmul-4096.js';
import { memoryBoundRows } from './memory-bound.js';
import { replayHostRow } from './replay-host.js';
import type { Row } from './row.js';
import { trainStepRow } from './train-step/index.js';
import { smallestPaperTrainStepRow } from './train-step/train-step-0.16b.js';

export const ROWS: readonly Row[] = [
  matmulRow,
  conv2dRow,
  attentionRow,
  trainStepRow,
  autoencoderStepRow,
  ...memoryBoundRows,
  decodeTokenRow,
  denoiseStepRow,
  replayHostRow,
  matmulGpuRow,
  smallestPaperTrainStepRow,
];
