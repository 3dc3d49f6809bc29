/** @file The errors of this package. */
import { TransfusionError } from '@transfusion/core';

export type HubErrorCode =
  /** A name, an address or an option is none. */
  | 'HUB_OPTIONS'
  /** There is no such model, or it is private. */
  | 'HUB_NOT_FOUND'
  /** The model has no such branch, tag or commit. */
  | 'HUB_REVISION'
  /** The model has no such file, or no file of a model. */
  | 'HUB_FILE'
  /** The model is gated, or the token is not accepted. */
  | 'HUB_ACCESS'
  /** It may not be fetched, and is not kept. */
  | 'HUB_OFFLINE'
  /** The server cannot be reached, or fails again and again. */
  | 'HUB_NETWORK'
  /** What the server sends is not what it should be. */
  | 'HUB_ANSWER'
  /** A file has another hash than was published. */
  | 'HUB_HASH'
  /** Files cannot be kept: no room, no permission. */
  | 'HUB_CACHE';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class HubError extends TransfusionError<HubErrorCode> {
  override readonly name = 'HubError';
}
