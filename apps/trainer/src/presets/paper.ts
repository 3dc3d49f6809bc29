/**
 * @file The paper's own runs (section 4.1), in two of its sizes: 2M tokens a step, 250,000 steps, 0.5T tokens. What they need is told by
 * `trainer plan`; the pictures and texts are yours to give: data.folder, data.texts, and Llama 2's tokenizer as tokenizer.file.
 */
import type { RunConfigInput } from '../config/run-config.js';

/** @param rows of 4,096 positions in a micro-batch; with four, each of 64 ranks has two, whose sum needs no memory of its own */
function paperRun(preset: '1.4b' | '7b', rows: number): RunConfigInput {
  return {
    name: `paper-${preset}`,
    steps: 250_000,
    model: { preset, maxPositions: 4096 },
    // Of the form of the paper's: 256 pixels become 32 x 32 latents of 8 channels. It has seen emoji alone.
    codec: 'emoji-64-kl',
    data: { dataset: 'folder', imageSize: 256, textShare: 0.5 },
    // 256 patches of 2 x 2.
    patchSize: 2,
    tokenizer: { vocabularySize: 30_000 },
    // 512 rows of 4,096 are 2^21 tokens.
    batch: { rows, imagesPerRow: null, sequenceLength: 4096, accumulation: 512 / rows },
    checkpointActivations: true,
    learningRate: { type: 'cosine', learningRate: 3e-4, finalLearningRate: 1.5e-5, warmupSteps: 4000 },
    sampling: { steps: 250, guidance: 3 },
  };
}

export const paper1b = paperRun('1.4b', 4);
export const paper7b = paperRun('7b', 4);
