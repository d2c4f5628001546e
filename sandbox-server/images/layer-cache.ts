/** Weight that is kept, by default: the entries of about twenty images of the largest kind that labs have. */
const defaultLimit = 400_000;

/** What is known of layers, by name. Past its limit it forgets what has not been used for longest. */
export class LayerCache<Value> {
  readonly #weigh: (value: Value) => number;
  readonly #limit: number;
  readonly #values = new Map<string, Value>();
  #weight = 0;

  /**
   * @param weigh how much of the limit a value takes, about in proportion to its memory
   * @param limit the sum of weights to keep
   */
  constructor(weigh: (value: Value) => number, limit = defaultLimit) {
    this.#weigh = weigh;
    this.#limit = limit;
  }

  /** Remember a value, or that it was of use again. */
  set(name: string, value: Value): void {
    const before = this.#values.get(name);
    if (before !== undefined) this.#forget(name, before);
    this.#values.set(name, value);
    this.#weight += this.#weigh(value);
    for (const [oldest, forgotten] of this.#values) {
      if (this.#weight <= this.#limit) return;
      this.#forget(oldest, forgotten);
    }
  }

  /** What is known under a name, which counts as a use of it. */
  get(name: string): Value | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    this.#values.delete(name);
    this.#values.set(name, value);
    return value;
  }

  /** All that is known now; later changes do not show in it. */
  snapshot(): Map<string, Value> {
    return new Map(this.#values);
  }

  #forget(name: string, value: Value): void {
    this.#values.delete(name);
    this.#weight -= this.#weigh(value);
  }
}
