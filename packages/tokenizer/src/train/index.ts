export { type TrainOptions, trainByteLevelBpe } from './train-byte-level-bpe.js';
