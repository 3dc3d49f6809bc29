/** @file Where files of the hub are kept: the disk, or what a browser gives a page. */
import type { PartialFile } from './download.js';
import type { HubFile, HubTree } from './tree.js';

/** What is kept of one model. All that it throws is a HubError HUB_CACHE. */
export interface HubStore {
  /** The commit that a revision was at when it was last asked for. */
  commitOf(revision: string): Promise<string | undefined>;
  keepCommit(revision: string, commit: string): Promise<void>;
  /** The files of a commit; undefined: they were never listed here. */
  tree(commit: string): Promise<string | undefined>;
  keepTree(commit: string, text: string): Promise<void>;
  /** The files that are here of a commit, where they were never listed. Their `hash` is '' where it is not known. */
  filesOf?(commit: string): Promise<HubTree>;
  /** Whether a file is here, in full length. */
  has(commit: string, path: string, file: HubFile): Promise<boolean>;
  /** Its hash, of its bytes. */
  hash(commit: string, path: string, file: HubFile): Promise<string>;
  /** Takes a file away, to be fetched again. */
  drop(commit: string, path: string, file: HubFile): Promise<void>;
  /**
   * Keeps a file that `fill` completes, once it returns; not if it throws, but then what came is there for the next time. Does not
   * call it where the same bytes are here, under another name or since a moment ago.
   */
  keep(commit: string, path: string, file: HubFile, fill: (partial: PartialFile) => Promise<void>): Promise<void>;
}
