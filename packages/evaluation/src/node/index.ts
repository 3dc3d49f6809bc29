/** @file @transfusion/evaluation/node: the folders of networks and of their runs; ONNX files. */
export { readEncoderFolder } from './encoder-folder.js';
export { type LoadedEvaluatorRun, loadEvaluatorRun } from './evaluator-run.js';
export { type OnnxFeatures, type OnnxFeaturesOptions, openOnnxFeatures } from './onnx-features.js';
export type { OnnxRuntime, OnnxSession, OnnxTensor, OnnxValue } from './onnx-runtime.js';
export type { PictureInput, PictureLayout } from './picture-network.js';
