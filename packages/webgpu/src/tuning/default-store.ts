import { isNode } from '../adapter/gpu.js';
import { fileTuningStore } from './file-store.js';
import { indexedDbTuningStore } from './indexed-db-store.js';
import type { TuningStore } from './store.js';

/** Files in Node, IndexedDB in browsers; undefined where there is neither. */
export function defaultTuningStore(): TuningStore | undefined {
  if (isNode()) return fileTuningStore();
  return typeof indexedDB === 'undefined' ? undefined : indexedDbTuningStore();
}
