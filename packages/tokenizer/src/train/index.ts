/** @file Training tokenizers, in Node. */
export { type TrainOptions, trainByteLevelBpe } from './train-byte-level-bpe.js';
