/** Finds strings in bytes that stream by, also where a border of chunks cuts one in two. Keeps less than the longest string. */
export class NeedleSearch {
  readonly #needles: readonly Buffer[];
  readonly #keep: number;
  readonly #found = new Set<number>();
  #tail: Buffer = Buffer.alloc(0);

  /** @param needles what to look for, none of them empty */
  constructor(needles: readonly Buffer[]) {
    this.#needles = needles;
    this.#keep = Math.max(0, ...needles.map((needle) => needle.byteLength - 1));
  }

  write(chunk: Uint8Array): void {
    const bytes = this.#tail.byteLength === 0 ? asBuffer(chunk) : Buffer.concat([this.#tail, chunk]);
    this.#needles.forEach((needle, index) => {
      if (!this.#found.has(index) && bytes.includes(needle)) this.#found.add(index);
    });
    // A copy, since the piece belongs to a buffer that goes on to somebody else.
    this.#tail = Buffer.from(bytes.subarray(Math.max(0, bytes.byteLength - this.#keep)));
  }

  /** @returns the indexes of the strings found so far */
  get found(): readonly number[] {
    return [...this.#found].toSorted((a, b) => a - b);
  }
}

const asBuffer = (chunk: Uint8Array): Buffer => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);

/** Every string in a JSON value, the names of its fields included, however deep it is nested. */
export function stringsIn(value: unknown): string[] {
  const strings: string[] = [];
  const pending = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next === 'string') strings.push(next);
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, inner] of Object.entries(next)) {
      strings.push(key);
      pending.push(inner);
    }
  }
  return strings;
}
