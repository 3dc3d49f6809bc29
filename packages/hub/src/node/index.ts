/** @file @transfusion/hub/node: models of the Hugging Face hub, kept where its Python library keeps them. */
export { type HubAddress, isHubAddress, parseHubAddress } from '../address.js';
export { HubError, type HubErrorCode } from '../errors.js';
export type { HubProgress } from '../fetch-model.js';
export { hubCacheFolder } from './environment.js';
export { fromHub, type HubFolder, type NodeHubOptions } from './from-hub.js';
