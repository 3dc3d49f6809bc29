import type { TuningStore } from '../tuning/store.js';

/** A tuning store in memory that shows what it was asked. */
export class MemoryTuningStore implements TuningStore {
  readonly contents = new Map<string, Record<string, string>>();
  saves = 0;

  async load(key: string): Promise<Record<string, string> | undefined> {
    return this.contents.get(key);
  }

  async save(key: string, entries: Record<string, string>): Promise<void> {
    this.saves += 1;
    this.contents.set(key, { ...this.contents.get(key), ...entries });
  }
}
