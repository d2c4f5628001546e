import { expect, it } from 'vitest';
import { fixedSince, parseCandidates, parseSource } from './changelog.ts';
import { codename } from './measure-cves.ts';

const changelog = `openssl (3.0.15-1~deb12u1) bookworm-security; urgency=medium

  * CVE-2024-5535 (SSL_select_next_proto), CVE-2024-4741.

 -- A Person <a@example.org>  Sun, 01 Sep 2024 10:00:00 +0200

openssl (3.0.14-1~deb12u2) bookworm; urgency=medium

  * Fix CVE-2024-5535 once more, and mention openssl (3.0.11-1) in a line.

 -- A Person <a@example.org>  Sun, 01 Aug 2024 10:00:00 +0200

openssl (3.0.11-1~deb12u2) bookworm; urgency=medium

  * CVE-2023-5363

 -- A Person <a@example.org>  Sun, 01 Oct 2023 10:00:00 +0200
`;

it('names the CVEs of the entries above the installed version, each once', () => {
  expect(fixedSince(changelog, '3.0.11-1~deb12u2')).toEqual(['CVE-2024-4741', 'CVE-2024-5535']);
  expect(fixedSince(changelog, '3.0.15-1~deb12u1')).toEqual([]);
});

it('says that it cannot tell when the changelog does not reach down to it', () => {
  expect(fixedSince(changelog, '3.0.9-1')).toBeNull();
  expect(fixedSince('', '1')).toBeNull();
});

it('reads what apt says, with the source that a package was built from', () => {
  const output =
    'Package: libssl3\nSource: openssl (3.0.15-1)\nVersion: 3.0.15-1+b1\n\nPackage: bash\nVersion: 5.2-2+b7\nDescription: x\n';
  expect(parseCandidates(output)).toEqual([
    { package: 'libssl3', version: '3.0.15-1+b1', source: { name: 'openssl', version: '3.0.15-1' } },
    { package: 'bash', version: '5.2-2+b7', source: { name: 'bash', version: '5.2-2' } },
  ]);
  expect(parseSource('glibc', 'libc6', '2.36-9')).toEqual({ name: 'glibc', version: '2.36-9' });
});

it('tells the suite of a Debian image, and of no other', () => {
  expect(codename('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n')).toBe('trixie');
  expect(codename('ID="debian"\nVERSION_CODENAME="bookworm"\n')).toBe('bookworm');
  expect(codename('ID=ubuntu\nVERSION_CODENAME=noble\n')).toBeNull();
  expect(codename('')).toBeNull();
});
