import { describe, expect, it } from 'vitest';
import { bundlesIn, parseListing, planAuthorities } from './extra-authorities.ts';

const block = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
const known = block('AAAA');
const extra = { pem: block('BBBB'), hash: '0a1b2c3d' };
const bundle = 'etc/ssl/certs/ca-certificates.crt';

const line = (path: string, kind = '-'): string => `${kind}rw-r--r-- 0/0           12 2026-11-21 06:00 ${path}`;
const listing = (...lines: readonly string[]): ReturnType<typeof parseListing> => parseListing(lines.join('\n'));
const plan = (
  files: ReturnType<typeof parseListing>,
  bundles: Readonly<Record<string, string>>,
): ReturnType<typeof planAuthorities> => planAuthorities(files, bundles, [extra]);

describe('authorities that are put into an image', () => {
  it('go into the bundle, and where a Debian makes its bundle from', () => {
    const files = listing(line('usr/bin/dpkg'), line(bundle), line('etc/ssl/certs/12345678.0', 'l'));
    expect(bundlesIn(files)).toEqual([bundle]);
    const { files: added, environment, javaHomes } = plan(files, { [bundle]: known.trimEnd() });
    expect(added).toEqual([
      { name: bundle, content: `${known}${extra.pem}` },
      { name: 'usr/local/share/ca-certificates/ballast-extra-1.crt', content: extra.pem },
      {
        name: 'etc/ssl/certs/ballast-extra-1.pem',
        linkTo: '/usr/local/share/ca-certificates/ballast-extra-1.crt',
      },
      { name: 'etc/ssl/certs/0a1b2c3d.0', linkTo: 'ballast-extra-1.pem' },
    ]);
    expect([environment, javaHomes]).toEqual([{}, []]);
  });

  it('go into the bundle alone where there is nothing but a bundle', () => {
    const files = listing(line(bundle));
    expect(plan(files, { [bundle]: known }).files).toEqual([{ name: bundle, content: `${known}${extra.pem}` }]);
  });

  it('wait in a Debian without a bundle for the package that makes one', () => {
    const files = listing(line('usr/bin/dpkg'));
    expect(plan(files, {}).files.map(({ name }) => name)).toEqual([
      'usr/local/share/ca-certificates/ballast-extra-1.crt',
    ]);
  });

  it('change nothing where no program would read them, and in no bundle that has them', () => {
    expect(plan(listing(line('bin/sh')), {})).toEqual({ files: [], environment: {}, javaHomes: [] });
    expect(plan(listing(line(bundle)), { [bundle]: known + extra.pem.replaceAll('\n', '\r\n') }).files).toEqual([]);
  });

  it('take the next number where another authority has the name already', () => {
    const files = listing(line('usr/bin/dpkg'), line(bundle), line('etc/ssl/certs/0a1b2c3d.0', 'l'));
    expect(plan(files, { [bundle]: known }).files.map(({ name }) => name)).toContain('etc/ssl/certs/0a1b2c3d.1');
  });

  it('are named to Node.js, pip and requests, and found by Java in its own place', () => {
    const home = 'opt/java/openjdk';
    const files = listing(
      line(bundle),
      line('usr/local/bin/node'),
      `${line('usr/local/bin/python3', 'l')} -> python3.13`,
      line(`${home}/bin/keytool`),
      `${line(`${home}/lib/security/cacerts`, 'l')} -> /etc/ssl/certs/java/cacerts`,
      line('usr/lib/jvm/jlinked/lib/security/cacerts'),
    );
    const { files: added, environment, javaHomes } = plan(files, { [bundle]: known });
    expect(environment).toEqual({
      NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ballast-extra-ca.pem',
      PIP_CERT: '/etc/ssl/certs/ballast-bundle.crt',
      REQUESTS_CA_BUNDLE: '/etc/ssl/certs/ballast-bundle.crt',
    });
    expect(added).toContainEqual({ name: 'etc/ssl/certs/ballast-extra-ca.pem', content: extra.pem });
    expect(added).toContainEqual({ name: 'etc/ssl/certs/ballast-bundle.crt', linkTo: `/${bundle}` });
    expect(javaHomes).toEqual([home]);
  });
});
