import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
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

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;
type Lookup = (host: string, options: LookupOptions, callback: LookupCallback) => void;

/**
 * A `lookup` for sockets that connects to the very addresses it has judged: a name that answers differently the second
 * time gains nothing.
 * @param host whose addresses must all be public; any other, such as that of the operator's own proxy, is not judged
 */
export function guardedLookup(host: string, resolve: Lookup = systemLookup): Lookup {
  return (name, options, callback) => {
    resolve(name, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const addresses = found as LookupAddress[];
      const bad = name === host ? addresses.find(({ address }) => !isPublicAddress(address)) : undefined;
      const [first] = addresses;
      if (bad !== undefined || first === undefined) {
        callback(new RefusedError(host, 'its address is not a public one'), []);
        return;
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
