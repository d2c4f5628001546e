import { expect, it } from 'vitest';
import { fixedSince, parseCandidates, parseChangelog, parseSource } from './changelog.ts';

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
const entries = parseChangelog(changelog);

/** Good enough for these versions. */
const since = (installed: string) =>
  fixedSince(entries, installed, (than) => Promise.resolve(Number(installed.slice(4, 6)) < Number(than.slice(4, 6))));

it('reads versions and their CVEs', () => {
  expect(entries).toEqual([
    ['3.0.15-1~deb12u1', ['CVE-2024-5535', 'CVE-2024-4741'], '2024-09-01'],
    ['3.0.14-1~deb12u2', ['CVE-2024-5535'], '2024-08-01'],
    ['3.0.11-1~deb12u2', ['CVE-2023-5363'], '2023-10-01'],
  ]);
  expect(parseChangelog('Changes in 1.2 (2024-01-01)\n\n* CVE-2024-0001\n')).toEqual([]);
  expect(parseChangelog('')).toEqual([]);
});

it('names the CVEs of the entries above the installed version, each once', async () => {
  const two = ['CVE-2024-4741', 'CVE-2024-5535'];
  expect(await since('3.0.11-1~deb12u2')).toEqual({ cves: two, complete: true });
  expect(await since('3.0.15-1~deb12u1')).toEqual({ cves: [], complete: true });
});

it('finds the place of a version that is none of them', async () => {
  expect(await since('3.0.14-1~deb12u2+local')).toEqual({ cves: ['CVE-2024-4741', 'CVE-2024-5535'], complete: true });
  expect(await since('3.0.16-1')).toEqual({ cves: [], complete: true });
});

it('says when the changelog does not reach down to it', async () => {
  expect(await since('3.0.10-1')).toMatchObject({ complete: false });
  expect((await since('3.0.10-1')).cves).toHaveLength(3);
  expect(await fixedSince([], '1', () => Promise.resolve(true))).toEqual({ cves: [], complete: false });
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
