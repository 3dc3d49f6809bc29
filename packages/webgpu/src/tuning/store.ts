/** @file Where choices by measurement are kept between processes, and which of what is read there can be used. */
/**
 * Keeps what was measured. A key stands for an adapter and a version of the kernels; its entries are shape classes and
 * the names of their fastest variants. What a store throws is ignored, and so is what it returns that cannot be used.
 */
export interface TuningStore {
  /** The entries last saved under the key. */
  load(key: string): Promise<Record<string, string> | undefined>;
  /** Adds the entries to those under the key. */
  save(key: string, entries: Record<string, string>): Promise<void>;
}

const MOST_ENTRIES = 4096;
const LONGEST_CLASS = 300;
const LONGEST_NAME = 200;

/** The entries in something that was stored, without those that cannot be any; undefined where it is no list of entries. */
export function usableEntries(stored: unknown): Record<string, string> | undefined {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return undefined;
  const entries = Object.entries(stored);
  if (entries.length > MOST_ENTRIES) return undefined;
  const usable = entries.filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' && entry[0].length <= LONGEST_CLASS && entry[1].length <= LONGEST_NAME,
  );
  return Object.fromEntries(usable);
}
