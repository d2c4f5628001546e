import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import CachePolicy from 'http-cache-semantics';
import { GrowingFile } from './growing-file.ts';
import { withFreshness } from './lasting-paths.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Where an answer came from. `joined`: another session's request for the same was under way. */
export type AnswerSource = 'stored' | 'revalidated' | 'joined' | 'fetched' | 'passed';

/** An answer, from the cache or on its way into it. */
export interface CachedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly source: AnswerSource;
  /** The body; to be read once. */
  body(): AsyncIterable<Buffer>;
  /** Kept as long as the answer is: what was found out of it. */
  readonly notes: Map<string, readonly string[]>;
}

interface Entry {
  readonly key: string;
  readonly policy: CachePolicy;
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: number;
  readonly notes: Map<string, readonly string[]>;
}

interface Growing {
  readonly entry: Omit<Entry, 'bytes'>;
  readonly file: GrowingFile;
}

interface StoredEntry {
  readonly policy: CachePolicy.CachePolicyObject;
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: number;
}

export interface CacheRequest {
  readonly url: URL;
  readonly headers: Headers;
}

/** Asks the registry; called with the headers to send. */
export type Fetch = (headers: Headers, signal: AbortSignal) => Promise<IncomingMessage>;

const toPolicyRequest = ({ url, headers }: CacheRequest): CachePolicy.Request => ({
  url: url.href,
  method: 'GET',
  headers,
});

/** Answers in different languages, so to speak, of the same address. */
function keyOf({ url, headers }: CacheRequest): string {
  const parts = [url.href, headers['accept'] ?? '', headers['accept-encoding'] ?? ''];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

/**
 * Answers of registries on disk, for all sessions and for the next server, as long as HTTP's rules allow (RFC 9111, by
 * http-cache-semantics). What is being fetched is fetched once: others that ask for it read along.
 */
export class ResponseCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #underWay = new Map<string, Promise<Growing | null>>();
  #bytes = 0;

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** @param maxBytes the oldest go when there are more; 0 keeps nothing */
  static async open(folder: string, maxBytes: number): Promise<ResponseCache> {
    const cache = new ResponseCache(folder, maxBytes);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found: { entry: Entry; usedAt: number }[] = [];
    const names = await readdir(folder);
    for (const name of names.filter((file) => file.endsWith('.json'))) {
      const key = name.slice(0, -'.json'.length);
      try {
        const stored = JSON.parse(await readFile(join(folder, name), 'utf8')) as StoredEntry;
        const body = await stat(cache.#bodyOf(key));
        if (body.size !== stored.bytes) throw new Error('half-made');
        const entry = { ...stored, key, policy: CachePolicy.fromObject(stored.policy), notes: new Map() };
        found.push({ entry, usedAt: body.mtimeMs });
      } catch {
        await rm(join(folder, name), { force: true });
      }
    }
    for (const { entry } of found.sort((a, b) => a.usedAt - b.usedAt)) cache.#remember(entry);
    // What a server that was killed had begun.
    for (const name of names) {
      const key = /^([0-9a-f]{64})\.(body|part)/.exec(name)?.[1];
      if (key !== undefined && !cache.#entries.has(key)) await rm(join(folder, name), { force: true });
    }
    await cache.#makeRoom();
    return cache;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #bodyOf(key: string): string {
    return join(this.#folder, `${key}.body`);
  }

  /** An answer to a GET. @throws what `fetch` throws */
  async answer(request: CacheRequest, fetch: Fetch): Promise<CachedAnswer> {
    const key = keyOf(request);
    const asked = toPolicyRequest(request);
    const underWay = await this.#underWay.get(key)?.catch(() => null);
    if (underWay?.entry.policy.satisfiesWithoutRevalidation(asked) === true) {
      return this.#growing(underWay, 'joined');
    }
    const entry = this.#entries.get(key);
    if (entry?.policy.satisfiesWithoutRevalidation(asked) === true) return this.#stored(entry, 'stored');
    if (this.#underWay.has(key)) return this.#pass(request, fetch);
    const turn = Promise.withResolvers<Growing | null>();
    turn.promise.catch(() => undefined);
    this.#underWay.set(key, turn.promise);
    try {
      return await this.#ask(key, request, entry ?? null, fetch, turn.resolve);
    } catch (error) {
      turn.resolve(null);
      throw error;
    } finally {
      // While a body is coming, it stays there; see #keep.
      turn.resolve(null);
      if ((await turn.promise) === null) this.#underWay.delete(key);
    }
  }

  async #ask(
    key: string,
    request: CacheRequest,
    entry: Entry | null,
    fetch: Fetch,
    onGrowing: (growing: Growing) => void,
  ): Promise<CachedAnswer> {
    const asked = toPolicyRequest(request);
    const headers = entry === null ? request.headers : (entry.policy.revalidationHeaders(asked) as Headers);
    const abandoned = new AbortController();
    const response = await fetch(headers, abandoned.signal);
    const answered = {
      status: response.statusCode ?? 502,
      headers: withFreshness(request.url, response.headers) as CachePolicy.Headers,
    };
    if (entry !== null && answered.status === 304) {
      response.resume();
      const { policy, matches } = entry.policy.revalidatedPolicy(asked, answered);
      if (!matches) return this.#pass(request, fetch);
      const renewed = { ...entry, policy };
      await this.#write(renewed);
      return this.#stored(renewed, 'revalidated');
    }
    const policy = new CachePolicy(asked, answered, { shared: true });
    const length = Number(response.headers['content-length'] ?? 0);
    const whole =
      response.headers['transfer-encoding'] !== undefined || response.headers['content-length'] !== undefined;
    const fits = length <= this.#maxBytes / 2;
    if (answered.status !== 200 || !policy.storable() || !whole || !fits || this.#maxBytes === 0) {
      return passed(response);
    }
    const part = join(this.#folder, `${key}.part-${randomBytes(6).toString('hex')}`);
    const file = await GrowingFile.create(part, () => {
      abandoned.abort(new Error('nobody waits for it'));
    });
    const growing: Growing = {
      file,
      entry: { key, policy, status: 200, headers: cleaned(response.headers), notes: new Map() },
    };
    onGrowing(growing);
    void this.#keep(growing, response, part);
    return this.#growing(growing, 'fetched');
  }

  /** Takes the body in at the registry's speed, whatever that of those who read it. */
  async #keep({ entry, file }: Growing, response: IncomingMessage, part: string): Promise<void> {
    try {
      for await (const chunk of response) {
        await file.append(chunk as Buffer);
        if (file.size > this.#maxBytes) throw new Error('the answer is larger than the cache');
      }
      if (!response.complete) throw new Error('the answer was cut off');
      await file.finish(async () => {
        await rename(part, this.#bodyOf(entry.key));
        await this.#write({ ...entry, bytes: file.size });
        return this.#bodyOf(entry.key);
      });
    } catch (error) {
      response.destroy();
      await file.fail(error);
      await rm(part, { force: true });
    } finally {
      this.#underWay.delete(entry.key);
    }
    await this.#makeRoom();
  }

  async #write(entry: Entry): Promise<void> {
    const { policy, status, headers, bytes } = entry;
    const stored: StoredEntry = { policy: policy.toObject(), status, headers, bytes };
    const file = join(this.#folder, `${entry.key}.json`);
    const making = `${file}.${randomBytes(6).toString('hex')}`;
    await writeFile(making, JSON.stringify(stored), { mode: 0o600 });
    await rename(making, file);
    this.#remember(entry);
  }

  #remember(entry: Entry): void {
    this.#bytes += entry.bytes - (this.#entries.get(entry.key)?.bytes ?? 0);
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  async #makeRoom(): Promise<void> {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#entries.delete(key);
      this.#bytes -= bytes;
      await rm(join(this.#folder, `${key}.json`), { force: true });
      await rm(this.#bodyOf(key), { force: true });
    }
  }

  #growing({ entry, file }: Growing, source: AnswerSource): CachedAnswer {
    const { status, headers, notes } = entry;
    return { status, headers, notes, source, body: () => file.read() };
  }

  #stored(entry: Entry, source: AnswerSource): CachedAnswer {
    this.#remember(entry);
    const { status, headers, notes } = entry;
    const path = this.#bodyOf(entry.key);
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
    return { status, headers, notes, source, body: () => createReadStream(path) as AsyncIterable<Buffer> };
  }

  async #pass({ headers }: CacheRequest, fetch: Fetch): Promise<CachedAnswer> {
    return passed(await fetch(headers, new AbortController().signal));
  }
}

/** Without what belongs to one connection or one client. */
export function cleaned(headers: IncomingHttpHeaders): Headers {
  const named = (headers.connection ?? '').split(',');
  const dropped = new Set([
    ...['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade', 'te', 'set-cookie', 'alt-svc'],
    ...['proxy-authenticate', 'proxy-connection', 'strict-transport-security', 'www-authenticate'],
    ...named.map((name) => name.trim().toLowerCase()),
  ]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

/** An answer that goes through uncached. */
export function passed(response: IncomingMessage): CachedAnswer {
  return {
    status: response.statusCode ?? 502,
    headers: cleaned(response.headers),
    source: 'passed',
    notes: new Map(),
    body: () => response as AsyncIterable<Buffer>,
  };
}
