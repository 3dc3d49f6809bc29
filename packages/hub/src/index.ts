/** @file @transfusion/hub: models of the Hugging Face hub, in pages; `@transfusion/hub/node` is for Node. */
export { type HubAddress, isHubAddress, parseHubAddress } from './address.js';
export { HubError, type HubErrorCode } from './errors.js';
export type { HubProgress } from './fetch-model.js';
export { fromHub, type HubSource } from './from-hub.js';
export type { HubOptions } from './options.js';
