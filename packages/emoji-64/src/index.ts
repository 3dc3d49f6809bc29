/** @file @transfusion/emoji-64: where the files of the model are. The model itself is the folder `model`. */
export { files, sha256 } from './files.js';

/** By which `openModel` of `@transfusion/sampler/node` finds it. */
export const name = '@transfusion/emoji-64';
