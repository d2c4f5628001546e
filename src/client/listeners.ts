/** Those who want to hear of something that happens. */
export class Listeners<T> {
  readonly #listeners = new Set<(event: T) => void>();

  /** Gives the function that ends it. */
  add(listener: (event: T) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: T): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
