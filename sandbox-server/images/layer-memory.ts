import { LayerCache } from './layer-cache.ts';
import type { LayerFiles } from './layer-files.ts';
import type { LayerMatch, ParsedLayer } from './layer.ts';

/** Layers smaller than this are read in no time, and are not worth a file. */
const worthFileBytes = 4 * 1024 ** 2;
/** Longest time to wait for somebody else who reads the same layer, in ms: their sandbox may be slow on purpose. */
const patienceMs = 20_000;
/** Sets of strings that were looked for, whose results are remembered. */
const rememberedSearches = 24;

/** Weight of what is remembered of one search. */
const mostMatches = 20_000;
/** Characters of text that weigh as much as an entry of a layer. */
const charactersPerEntry = 256;

const weightOfTexts = (texts: Iterable<string>): number => {
  let characters = 0;
  for (const text of texts) characters += text.length;
  return characters / charactersPerEntry;
};

/** Weight of a layer: about in proportion to the memory that it takes, with its texts, packages and long paths. */
function weightOf({ entries, whiteouts, opaque, text, packages }: ParsedLayer): number {
  const paths = function* (): Iterable<string> {
    for (const { path, linkTarget } of entries) {
      yield path;
      if (linkTarget !== undefined) yield linkTarget;
    }
    for (const { name, version, source } of packages) yield* [name, version, source?.name ?? '', source?.version ?? ''];
  };
  const count = 1 + entries.length + whiteouts.length + opaque.length + packages.length;
  const texts = [whiteouts, opaque, text.values(), paths()].map(weightOfTexts);
  return texts.reduce((sum, weight) => sum + weight, count);
}

const weightOfMatches = (all: readonly LayerMatch[]): number =>
  1 + all.length + weightOfTexts(all.map(({ path }) => path));

/** What is known of layers by their name, which holds their digest: in memory and, of large ones, on disk. */
export class LayerMemory<Value> {
  readonly #cache: LayerCache<Value>;
  readonly #files: LayerFiles | null;
  readonly #kind: string;
  readonly #beingRead = new Map<string, Promise<void>>();

  /** @param kind tells what is known from other things that are known of the same layer */
  constructor(cache: LayerCache<Value>, files: LayerFiles | null, kind: string) {
    this.#cache = cache;
    this.#files = files;
    this.#kind = kind;
  }

  /** What is known of these layers. Held by the caller, so that nobody else's images push it out in the meantime. */
  async find(names: Iterable<string>): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    for (const name of new Set(names)) {
      const value = this.#cache.get(name) ?? (await this.#fromFile(name));
      if (value !== undefined) found.set(name, value);
    }
    return found;
  }

  async #fromFile(name: string): Promise<Value | undefined> {
    // Written by `set` of this class alone, under the same kind.
    const value = (await this.#files?.get(this.#kind, name)) as Value | undefined;
    if (value !== undefined) this.#cache.set(name, value);
    return value;
  }

  /** All that is known in memory now, for archives that do not say beforehand what is in them. */
  snapshot(): Map<string, Value> {
    return this.#cache.snapshot();
  }

  /** Remember a value. @param sizeBytes of the layer; large ones go to disk as well */
  async set(name: string, value: Value, sizeBytes: number): Promise<void> {
    this.#cache.set(name, value);
    if (sizeBytes >= worthFileBytes) await this.#files?.set(this.#kind, name, value);
  }

  /**
   * Read layers while others who want them wait: a class that opens the same lab reads its base image once.
   * Waits first for whoever reads one of them already.
   * @param read is told what has become known in the meantime
   */
  async reading<Result>(
    names: readonly string[],
    read: (known: Map<string, Value>) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const others = names.flatMap((name) => this.#beingRead.get(name) ?? []);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    // Before anything is waited for: whoever comes next must find it. So nobody waits for one who came later.
    const mine = names.filter((name) => this.#cache.get(name) === undefined && !this.#beingRead.has(name));
    for (const name of mine) this.#beingRead.set(name, promise);
    try {
      if (others.length > 0) await waitFor(Promise.allSettled(others), signal);
      return await read(await this.find(names));
    } finally {
      for (const name of mine) this.#beingRead.delete(name);
      resolve(undefined);
    }
  }
}

async function waitFor(others: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const patience = AbortSignal.timeout(patienceMs);
  const end = signal === undefined ? patience : AbortSignal.any([patience, signal]);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => {
    resolve(undefined);
  };
  end.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([others, promise]);
  } finally {
    end.removeEventListener('abort', stop);
  }
  signal?.throwIfAborted();
}

/** All that is known of layers; readers of several sandboxes share one. */
export class LayerKnowledge {
  readonly layers: LayerMemory<ParsedLayer>;
  readonly #files: LayerFiles | null;
  readonly #searches = new Map<string, LayerMemory<readonly LayerMatch[]>>();

  /** @param files keeps what is known of large layers; without, it is forgotten with the process */
  constructor(files: LayerFiles | null = null) {
    this.#files = files;
    this.layers = new LayerMemory(new LayerCache(weightOf), files, 'layer');
  }

  /** Where strings are in layers. */
  matches(needles: readonly string[]): LayerMemory<readonly LayerMatch[]> {
    const key = JSON.stringify(needles);
    const known = this.#searches.get(key);
    const memory = known ?? new LayerMemory(new LayerCache(weightOfMatches, mostMatches), this.#files, key);
    this.#searches.delete(key);
    this.#searches.set(key, memory);
    for (const oldest of this.#searches.keys()) {
      if (this.#searches.size <= rememberedSearches) break;
      this.#searches.delete(oldest);
    }
    return memory;
  }
}
