/** The parts of IndexedDB that are needed here, with promises. */

export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves when the transaction is complete. */
export function completionOf(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error);
  });
}

export async function openDatabase(
  name: string,
  version: number,
  prepare: (fresh: IDBDatabase) => void,
): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version);
  request.onupgradeneeded = () => prepare(request.result);
  const db = await resultOf(request);
  // Another tab wants to delete the database (sign-out) or to upgrade it.
  db.onversionchange = () => db.close();
  return db;
}

export async function eraseDatabase(name: string): Promise<void> {
  await resultOf(indexedDB.deleteDatabase(name));
}
