/** @file What a model of the hub is called: `owner/name`, or `hf://owner/name@revision/folder`. */
import { isFileName } from '@transfusion/checkpoint';
import { HubError } from './errors.js';

const SCHEME = 'hf://';
const DEFAULT_REVISION = 'main';
const MOST_NAME_LENGTH = 96;

/** A model of the hub, or a folder in one. */
export interface HubAddress {
  /** "owner/name"; a few old models have no owner. */
  name: string;
  /** A branch, a tag or a commit. */
  revision: string;
  /** '': the whole. */
  subfolder: string;
}

/** Whether a text is meant as an address of the hub. */
export function isHubAddress(text: string): boolean {
  return text.slice(0, SCHEME.length).toLowerCase() === SCHEME;
}

/**
 * `hf://owner/name`, `hf://owner/name@revision`, `hf://owner/name@revision/folder`, as Hugging Face's `HfFileSystem` has them; a `/`
 * in a revision is written `%2F`. Without the scheme, `owner/name@revision` alike.
 *
 * @throws HubError HUB_OPTIONS
 */
export function parseHubAddress(text: string): HubAddress {
  const path = isHubAddress(text) ? text.slice(SCHEME.length) : text;
  const [, name, revision, subfolder = ''] = /^([^/@]+\/[^/@]+|[^/@]+)(?:@([^/]*))?(?:\/(.*?))?\/?$/.exec(path) ?? [];
  if (name === undefined) {
    throw new HubError({
      code: 'HUB_OPTIONS',
      message: `${JSON.stringify(text)} is no address of a model`,
      fix: 'give one such as hf://owner/name, or hf://owner/name@revision',
    });
  }
  const address = { name, revision: revision === undefined ? DEFAULT_REVISION : decode(revision), subfolder };
  checkAddress(address);
  return address;
}

/** @throws HubError HUB_OPTIONS: a part of it is none */
export function checkAddress({ name, revision, subfolder }: HubAddress): void {
  if (!isName(name)) {
    throw new HubError({
      code: 'HUB_OPTIONS',
      message: `${JSON.stringify(name)} is no name of a model on the hub`,
      fix: 'give owner/name: letters, digits, "-", "_" and "."',
    });
  }
  if (!isRevision(revision)) {
    throw new HubError({
      code: 'HUB_OPTIONS',
      message: `${JSON.stringify(revision)} is no revision`,
      fix: 'give a branch, a tag, or the 40 digits of a commit',
    });
  }
  if (subfolder !== '' && !isHarmless(subfolder)) {
    throw new HubError({
      code: 'HUB_OPTIONS',
      message: `${JSON.stringify(subfolder)} is no folder of a model`,
      fix: 'give one such as "vae"',
    });
  }
}

/** The rules of `validate_repo_id` of huggingface_hub. */
function isName(name: string): boolean {
  const parts = name.split('/');
  const isPart = (part: string) => /^[\w-](?:[\w.-]*[\w-])?$/.test(part) && !/--|\.\./.test(part);
  return (
    parts.length <= 2 && name.length <= MOST_NAME_LENGTH && parts.every(isPart) && !/^-|-$|\/-|-\/|\.git$/.test(name)
  );
}

/** Names of refs of git, without what leads anywhere else in an address or on a disk. */
function isRevision(revision: string): boolean {
  return revision.length <= 256 && /^[\w.+/@-]+$/.test(revision) && isHarmless(revision);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a path may become that of a file here, on every system. */
export function isHarmless(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  const isOdd = (part: string) => /[\u0000-\u001f\u007f"*<>?|]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part);
  return isFileName(path) && !path.split('/').some((part) => part.length > 255 || isOdd(part));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
