import { isIP } from 'node:net';
import type { Reach } from './address-guard.ts';
import { RefusedError } from './refusal.ts';

/** How the answers of a registry name the files' own hosts. */
export const indexKinds = ['pypi', 'npm', 'cargo'] as const;
export type IndexKind = (typeof indexKinds)[number];

/** One registry that sandboxes may reach. */
export interface AllowedRegistry {
  /** In small letters. */
  readonly host: string;
  /** 443 and 80 where none is said. */
  readonly port: number | null;
  readonly index: IndexKind | null;
  readonly reach: Reach;
  /** Who named it: "go", "pip", …, "operator". */
  readonly from: string;
  /** For the Authorization header of requests to it, such as "Basic …". Never told to a sandbox. */
  readonly authorization: string | null;
}

/** Addresses that begin so lead to a mirror instead: a client that cannot be told of it asks where it always does. */
export interface Alias {
  readonly from: string;
  readonly to: string;
}

const methods = new Set(['GET', 'HEAD']);
const maxUrlLength = 8192;
/** Longest list of files' hosts that one session can be granted. */
const maxGrants = 64;
const redirectMs = 5 * 60_000;

export const portOf = (url: URL): number =>
  url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);

/** What one session may reach beside the registries themselves, because a registry's own answer named it. */
export class Grants {
  readonly #origins = new Set<string>();
  readonly #urls = new Map<string, number>();

  /** A host with files, named by the index of a registry. */
  addOrigin(origin: string): void {
    if (this.#origins.size < maxGrants) this.#origins.add(origin);
  }

  /** The place that a registry redirects a request to: that very address, for some minutes. */
  addUrl(url: string): void {
    if (this.#urls.size >= maxGrants) this.#urls.delete(this.#urls.keys().next().value ?? '');
    this.#urls.set(url, Date.now() + redirectMs);
  }

  hasHost(host: string, port: number): boolean {
    const names = (address: string): boolean => {
      const url = new URL(address);
      return url.hostname === host && portOf(url) === port;
    };
    return [...this.#origins].some(names) || [...this.#urls.keys()].some(names);
  }

  allows(url: URL): boolean {
    return this.#origins.has(url.origin) || (this.#urls.get(url.href) ?? 0) > Date.now();
  }
}

/** Which hosts, ports and methods are let through. */
export class AllowList {
  readonly #registries: readonly AllowedRegistry[];
  readonly #aliases: readonly Alias[];
  readonly #further: () => readonly AllowedRegistry[];

  /** @param further asked each time: base images, and with them clients, may be added at any time */
  constructor(
    registries: readonly AllowedRegistry[],
    aliases: readonly Alias[] = [],
    further: () => readonly AllowedRegistry[] = () => [],
  ) {
    this.#registries = registries;
    this.#aliases = aliases;
    this.#further = further;
  }

  get registries(): readonly AllowedRegistry[] {
    return [...this.#registries, ...this.#further()];
  }

  /** Where a request goes: what was asked for, or the same of the mirror that stands in for it. */
  resolve(url: URL): URL {
    const alias = this.#aliases.find(({ from }) => url.href.startsWith(from));
    return alias === undefined ? url : new URL(alias.to + url.href.slice(alias.from.length));
  }

  find(host: string, port: number): AllowedRegistry | null {
    const fits = (registry: AllowedRegistry): boolean =>
      registry.host === host && (registry.port === null ? port === 443 || port === 80 : registry.port === port);
    return this.registries.find(fits) ?? null;
  }

  /**
   * Whether a tunnel to the place may be opened; what goes through it is judged by itself.
   * @throws RefusedError
   */
  checkTunnel(host: string, port: number, grants: Grants): void {
    if (this.find(host, port) !== null || grants.hasHost(host, port)) return;
    if (this.#aliases.some(({ from }) => new URL(from).hostname === host && portOf(new URL(from)) === port)) return;
    throw this.#refused(host, port);
  }

  /**
   * The registry of a request, or null for a place that a registry has named.
   * @throws RefusedError
   */
  check(method: string, url: URL, grants: Grants): AllowedRegistry | null {
    const port = portOf(url);
    const registry = this.find(url.hostname, port);
    if (registry === null && !grants.allows(url)) throw this.#refused(url.hostname, port);
    if (!methods.has(method)) {
      throw new RefusedError(url.hostname, `packages can be fetched, but ${method.slice(0, 20)} is not allowed`, 405);
    }
    if (url.href.length > maxUrlLength) throw new RefusedError(url.hostname, 'the address is too long', 414);
    return registry;
  }

  #refused(host: string, port: number): RefusedError {
    const target = port === 443 || port === 80 ? host : `${host}:${String(port)}`;
    const known = this.registries.some((registry) => registry.host === host);
    if (known) return new RefusedError(target, 'that is not the port of a registry');
    return new RefusedError(
      target,
      isIP(host.replace(/^\[|\]$/g, '')) === 0 ? 'it is not one of them' : 'an address is not a registry',
    );
  }
}
