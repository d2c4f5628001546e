import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { RefusedError } from './refusal.ts';

/**
 * Whether an address belongs to the public internet: none of loopback, private, link-local (cloud metadata), shared,
 * multicast, reserved, or an IPv6 address that carries one of those.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  const range: string = parsed.range();
  if (range === 'unicast') return true;
  // NAT64 and 6to4 lead to the IPv4 address that they hold.
  if (!(parsed instanceof ipaddr.IPv6)) return false;
  const bytes = parsed.toByteArray();
  const inner = range === 'rfc6052' ? bytes.slice(12) : range === '6to4' ? bytes.slice(2, 6) : null;
  return inner !== null && ipaddr.fromByteArray(inner).range() === 'unicast';
}

/**
 * What the name of a host may lead to. `public`: the internet. `machine`: wherever this machine's resolver leads, as
 * with the registries that its own package clients use, but not this machine or its link. `any`: an operator said so.
 */
export type Reach = 'public' | 'machine' | 'any';

const neverMachine = new Set(['loopback', 'linkLocal', 'unspecified', 'multicast', 'broadcast', 'carrierGradeNat']);

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;
type Lookup = (host: string, options: LookupOptions, callback: LookupCallback) => void;

/** Judges the addresses of the hosts that are asked. */
export class AddressGuard {
  /** Where the registries of the machine's own clients are: a network that answers for all of them does so for their files. */
  readonly #ofRegistries = new Set<string>();
  readonly #resolve: Lookup;

  constructor(resolve: Lookup = systemLookup) {
    this.#resolve = resolve;
  }

  #mayReach(address: string, reach: Reach): boolean {
    if (reach === 'any' || isPublicAddress(address)) return true;
    if (reach === 'public') return this.#ofRegistries.has(address);
    return !neverMachine.has(ipaddr.process(address).range());
  }

  /**
   * For a host that is an address itself, which no socket looks up.
   * @throws RefusedError when it may not be reached
   */
  checkAddress(host: string, reach: Reach): void {
    const address = host.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0 && !this.#mayReach(address, reach)) {
      throw new RefusedError(host, 'its address is not a public one');
    }
  }

  /**
   * A `lookup` for sockets that connects to the very addresses it has judged: a name that answers differently the second
   * time gains nothing.
   * @param host whose addresses are judged; any other, such as that of the operator's own proxy, is not
   */
  lookupFor(host: string, reach: Reach): Lookup {
    return (name, options, callback) => {
      this.#resolve(name, { ...options, all: true }, (error, found) => {
        if (error !== null) {
          callback(error, []);
          return;
        }
        const addresses = found as LookupAddress[];
        const [first] = addresses;
        if (
          first === undefined ||
          (name === host && addresses.some(({ address }) => !this.#mayReach(address, reach)))
        ) {
          callback(new RefusedError(host, 'its address is not a public one'), []);
          return;
        }
        if (name === host && reach === 'machine') for (const { address } of addresses) this.#ofRegistries.add(address);
        if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    };
  }
}
