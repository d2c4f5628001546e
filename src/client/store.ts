/** A value that tells its listeners when it changes. Has the shape of a Svelte store, so `$store` reads it. */
export interface Readable<T> {
  readonly value: T;
  /** Calls `listener` at once with the value and then at each change; gives the function that ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

/** A `Readable` that its owner can set. */
export class Store<T> implements Readable<T> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  /** Replaces the value and tells every listener, unless it is the very same one. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#value);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
