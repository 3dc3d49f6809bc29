/** @file Tuning in the origin's IndexedDB, for browsers. */
import type { TuningStore } from './store.js';

const DATABASE = 'transfusion-webgpu';
const STORE = 'tuning';

export function indexedDbTuningStore(): TuningStore {
  return {
    load: (key) => withStore('readonly', async (store) => (await finished(store.get(key))) as Record<string, string>),
    save: (key, entries) =>
      withStore('readwrite', async (store) => {
        const others: unknown = await finished(store.get(key));
        await finished(store.put({ ...(others as object | undefined), ...entries }, key));
      }),
  };
}

async function withStore<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await finished(opening);
  try {
    return await use(database.transaction(STORE, mode).objectStore(STORE));
  } finally {
    database.close();
  }
}

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
