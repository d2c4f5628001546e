import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { AddressGuard, isPublicAddress } from './address-guard.ts';

/** The same names always, whatever the machine's own resolver says. */
const names: Readonly<Record<string, readonly string[]>> = {
  'public.test': ['8.8.8.8', '2600::1'],
  'mixed.test': ['8.8.8.8', '10.0.0.1'],
  'mapped.test': ['203.0.113.80'],
  'files.test': ['203.0.113.80'],
  'other.test': ['203.0.113.81'],
  'self.test': ['127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
};

const guard = (): AddressGuard =>
  new AddressGuard((host, _options, callback) => {
    const addresses = (names[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    callback(null, addresses);
  });

async function outcome(of: AddressGuard, host: string, reach: 'public' | 'machine' | 'any'): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  of.lookupFor(host, reach)(host, { all: true }, (error, found) => {
    resolve(error === null ? (found as LookupAddress[]).map(({ address }) => address).join(' ') : 'refused');
  });
  return promise;
}

describe('isPublicAddress', () => {
  it.each(['8.8.8.8', '2600::1', '::ffff:8.8.8.8', '64:ff9b::808:808'])('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1'],
    ...['255.255.255.255', '203.0.113.80', '::1', '::', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1', '2002:7f00:1::', '2002:a9fe:a9fe::', 'nonsense'],
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('AddressGuard', () => {
  it('lets no name lead to a private address, not even beside a public one', async () => {
    expect(await outcome(guard(), 'public.test', 'public')).toBe('8.8.8.8 2600::1');
    for (const host of ['mixed.test', 'mapped.test', 'self.test', 'metadata.test', 'unknown.test']) {
      expect(await outcome(guard(), host, 'public')).toBe('refused');
    }
  });

  it('follows the resolver of the machine for its own registries, but not to the machine itself', async () => {
    expect(await outcome(guard(), 'mapped.test', 'machine')).toBe('203.0.113.80');
    expect(await outcome(guard(), 'self.test', 'machine')).toBe('refused');
    expect(await outcome(guard(), 'metadata.test', 'machine')).toBe('refused');
    expect(await outcome(guard(), 'self.test', 'any')).toBe('127.0.0.1');
  });

  it('judges hosts that are addresses, which nobody looks up', () => {
    for (const host of ['127.0.0.1', '[::1]', '169.254.169.254', '[::ffff:10.0.0.1]']) {
      expect(() => {
        guard().checkAddress(host, 'public');
      }).toThrow('not a public one');
    }
    guard().checkAddress('8.8.8.8', 'public');
    guard().checkAddress('127.0.0.1', 'any');
    guard().checkAddress('registry.test', 'public');
  });

  it('takes files from where the registries are', async () => {
    const one = guard();
    await outcome(one, 'mapped.test', 'machine');
    expect(await outcome(one, 'files.test', 'public')).toBe('203.0.113.80');
    expect(await outcome(one, 'other.test', 'public')).toBe('refused');
  });
});
