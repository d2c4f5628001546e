import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';
import { readExtraCa } from '../extra-ca.ts';
import { AllowList, Grants, type Alias, type AllowedRegistry } from './allow-list.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { EgressProxy, type GatewayClient } from './egress-proxy.ts';
import { Quota } from './quota.ts';
import { refusalNotice, type Refusal } from './refusal.ts';
import { RelayLink } from './relay-link.ts';
import { ResponseCache, type AnswerSource } from './response-cache.ts';
import { sandboxFiles } from './sandbox-files.ts';
import type { GatewaySettings } from './settings.ts';
import { createUpstream, type Upstream } from './upstream.ts';

const probeMs = 10_000;
/** The same refusal is told again after this; and no more than so many different ones in that time. */
const tellAgainMs = 30_000;
const maxTold = 10;
/** Sessions whose use is remembered; older ones have ended long ago. */
const maxClients = 1000;

/** What has gone through, since the gateway was made. */
export interface GatewayCounters {
  readonly answers: Readonly<Record<AnswerSource, number>>;
  /** Bytes given to sandboxes. */
  readonly bytes: number;
  readonly refusals: number;
}

/** What the package clients of this machine say, see package-clients.ts. */
export interface ClientSettings {
  readonly registries: readonly AllowedRegistry[];
  /** Of clients that know no variable for a mirror. */
  readonly aliases: readonly Alias[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mavenMirror: string | null;
  readonly oldReleases: boolean;
}

export interface GatewayOptions {
  readonly settings: GatewaySettings;
  /** Folder of Ballast: the authority's key and the cache are in it. */
  readonly home: string;
  /** PEM file that is trusted beside the machine's own authorities. */
  readonly extraCa: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Asked once, when the first sandbox needs it. */
  readonly clients: () => Promise<ClientSettings>;
  /** Further registries, beside those that the machine's clients name; asked again and again. */
  readonly further: (machine: readonly AllowedRegistry[]) => readonly AllowedRegistry[];
  readonly logger: Logger;
}

interface Parts {
  readonly proxy: EgressProxy;
  readonly upstream: Upstream;
  readonly files: Buffer;
  readonly allowList: AllowList;
}

/** The package gateway of one server: all that sandboxes of labs with `network: packages` can reach. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #closing = new AbortController();
  readonly #clients = new Map<string, Pick<GatewayClient, 'grants' | 'quota'>>();
  readonly #answers: Record<AnswerSource, number> = { stored: 0, revalidated: 0, joined: 0, fetched: 0, passed: 0 };
  #bytes = 0;
  #refusals = 0;
  #parts: Promise<Parts> | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  get counters(): GatewayCounters {
    return { answers: { ...this.#answers }, bytes: this.#bytes, refusals: this.#refusals };
  }

  get enabled(): boolean {
    return this.#options.settings.enabled;
  }

  /** Makes ready what the first sandbox would have to wait for. */
  prepare(): void {
    if (this.enabled) {
      this.#ready().catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'the package gateway is not ready; the next sandbox tries again');
      });
    }
  }

  /**
   * Asks each registry for anything at all.
   * @returns the registries, each with null when it answers, or why it does not
   */
  async probe(): Promise<readonly { readonly registry: AllowedRegistry; readonly failure: string | null }[]> {
    const { allowList, upstream } = await this.#ready();
    return Promise.all(
      allowList.registries.map(async (registry) => {
        const { host, port, reach } = registry;
        const protocols = port === null ? ['https', 'http'] : port === 80 ? ['http'] : ['https', 'http'];
        let failure: string | null = null;
        for (const protocol of protocols) {
          const url = new URL(`${protocol}://${host}${port === null ? '' : `:${String(port)}`}/`);
          const signal = AbortSignal.any([AbortSignal.timeout(probeMs), this.#closing.signal]);
          try {
            (await upstream.fetch({ method: 'HEAD', url, headers: {}, reach, signal })).resume();
            return { registry, failure: null };
          } catch (error) {
            failure ??= error instanceof Error ? error.message : String(error);
          }
        }
        return { registry, failure };
      }),
    );
  }

  /**
   * Lets a sandbox reach package registries from now on, for as long as there is the sandbox; resolves when it can.
   * Without this call there is no way out of it.
   * @param options.name of the session: what it may take is counted under it
   * @param options.onRefused told of what was refused, not every time
   * @throws BallastError sandbox_failed
   */
  async open(
    engine: Engine,
    sandboxId: string,
    options: { readonly name: string; onRefused(notice: string): void },
  ): Promise<void> {
    const { settings, logger } = this.#options;
    const { proxy, files } = await this.#ready();
    const tell = limited((refusal) => {
      logger.warn({ session: options.name, ...refusal }, 'refused by the package gateway');
      options.onRefused(refusalNotice(refusal));
    });
    const client: GatewayClient = {
      name: options.name,
      ...this.#account(options.name),
      onRefused: (refusal) => {
        this.#refusals += 1;
        link?.note(`ballast: ${refusalNotice(refusal)}`);
        tell(refusal);
      },
      onAnswer: (source, bytes) => {
        this.#answers[source] += 1;
        this.#bytes += bytes;
      },
    };
    let link: RelayLink | null = null;
    link = await RelayLink.open({
      engine,
      sandboxId,
      files,
      maxStreams: settings.connections,
      signal: this.#closing.signal,
      logger,
      onStream: (stream) => {
        proxy.accept(stream, client);
      },
    });
  }

  /** Ends all connections and every relay. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the gateway is closed'));
    (await this.#parts?.catch(() => null))?.upstream.close();
  }

  #account(name: string): Pick<GatewayClient, 'grants' | 'quota'> {
    const { sessionBytes, bytesPerSecond, requestsPerMinute } = this.#options.settings;
    const known = this.#clients.get(name);
    const account = known ?? {
      grants: new Grants(),
      quota: new Quota({ bytes: sessionBytes, bytesPerSecond, requestsPerMinute }),
    };
    this.#clients.delete(name);
    this.#clients.set(name, account);
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > maxClients && oldest !== undefined) this.#clients.delete(oldest);
    return account;
  }

  #ready(): Promise<Parts> {
    this.#parts ??= this.#make().catch((error: unknown) => {
      // The next sandbox tries again.
      this.#parts = null;
      throw error;
    });
    return this.#parts;
  }

  async #make(): Promise<Parts> {
    const { settings, home, extraCa, environment, clients, further: readFurther, logger } = this.#options;
    const folder = join(home, 'gateway');
    const authority = await CertificateAuthority.open(folder);
    const cache = await ResponseCache.open(join(folder, 'cache'), settings.cacheBytes);
    const found = await clients();
    const registries = [...settings.allow.map((entry) => ({ ...entry })), ...found.registries];
    const allowList = new AllowList(registries, found.aliases, () => readFurther(found.registries));
    const further = readExtraCa(extraCa);
    const authorities = [new X509Certificate(authority.pem), ...further.certificates];
    const upstream = createUpstream(further.certificates, environment);
    const files = await sandboxFiles({ authorities, ...found });
    return { proxy: new EgressProxy({ allowList, authority, cache, upstream, logger }), upstream, files, allowList };
  }
}

/** Passes a refusal on when it is new, and not too many at once. */
function limited(tell: (refusal: Refusal) => void): (refusal: Refusal) => void {
  const told = new Map<string, number>();
  return (refusal) => {
    const now = performance.now();
    for (const [key, at] of told) if (now - at > tellAgainMs) told.delete(key);
    const key = `${refusal.target} ${refusal.reason}`;
    if (told.has(key) || told.size >= maxTold) return;
    told.set(key, now);
    tell(refusal);
  };
}
