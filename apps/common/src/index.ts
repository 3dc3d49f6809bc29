/** @file What the apps share. */
export { type AdapterChoice, adapterPath } from './adapter-path.js';
export { type BackendChoice, openBackend } from './backend.js';
export { type CaptionSearch, captionSearch } from './caption-search.js';
export { type CommandLineHints, quoted, repeatable } from './check-words.js';
export { type ConfigSources, mergedSources, withAssignments } from './config-sources.js';
export { GIVEN_MODEL, HUB_MODEL, localAdapters, localModel } from './hub-model.js';
export { imageFlag, imageFlags, inFlags } from './image-flags.js';
export { type GivenImageSampling, imageSampling, withImageSampling } from './image-options.js';
export { modelPath } from './model-path.js';
export { backendChoice, number, numberAbove, rootCommand, runCommand, wholeNumber, withBackend } from './options.js';
export { encodePicture, opacityPicture, PICTURE_FORMATS, type PictureBytes, type PictureFormat } from './pictures.js';
export {
  createProgress,
  formatSeconds,
  type Progress,
  type ProgressOptions,
  quietProgress,
  withProgress,
} from './progress.js';
export { shellQuoted } from './shell-quoted.js';
export { tellMissing } from './tell-missing.js';
export { runInTerminal, type Terminal } from './terminal.js';
