/** The part of localStorage that we use; anything with this shape will do in a test. */
export interface KeyValueStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Wraps a store so that one which is full, forbidden or absent loses what it should keep, and nothing else. */
export function forgivingStore(find: () => KeyValueStore): KeyValueStore {
  const attempt = <T>(action: (store: KeyValueStore) => T, otherwise: T): T => {
    try {
      return action(find());
    } catch {
      return otherwise;
    }
  };
  return {
    getItem: (key) => attempt((store) => store.getItem(key), null),
    setItem: (key, value) => {
      attempt((store) => {
        store.setItem(key, value);
      }, undefined);
    },
    removeItem: (key) => {
      attempt((store) => {
        store.removeItem(key);
      }, undefined);
    },
  };
}
