import { globSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { cveCount } from '../../sandbox-server/checks/kinds/cve-count.ts';
import { createArchiveImageReader } from '../../sandbox-server/images/archive-image-reader.ts';
import { debianPackages } from '../../sandbox-server/images/debian-packages.ts';
import type { ImageContents } from '../../sandbox-server/images/image-reader.ts';
import { readDebianMirror } from '../../sandbox-server/setup/debian-mirror.ts';
import { createCveCounter } from '../../sandbox-server/vulnerabilities/count-cves.ts';
import { fetchDebianData } from '../../sandbox-server/vulnerabilities/debian-data.ts';
import { makeImage, makeTar } from '../helpers/archives.ts';
import { contextOf } from '../helpers/contents.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-cves-'));
const mirror = await readDebianMirror();
const noMirror = 'the apt of this host knows no mirror of Debian';
const { signal } = new AbortController();
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;
const holding = (text: string): string => expect.stringContaining(text) as string;
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** An image that says that it has these packages, as dpkg writes it; no file of theirs is needed. */
async function imageWith(packages: readonly (readonly [name: string, version: string, source: string])[]) {
  const status = packages.map(
    ([name, version, source]) =>
      `Package: ${name}\nStatus: install ok installed\nSource: ${source}\nVersion: ${version}\n`,
  );
  const layer = await makeTar([
    ['usr/lib/os-release', 'ID=debian\nVERSION_CODENAME=bookworm\n'],
    ['etc/os-release', { type: 'symlink', linkname: '../usr/lib/os-release' }],
    ['var/lib/dpkg/status', status.join('\n')],
  ]);
  const archive = await makeImage({ layers: [layer] });
  return createArchiveImageReader({
    resolve: () => Promise.resolve({ id: 'sha256:1' }),
    save: () => Promise.resolve(Readable.from([archive])),
  }).read('old');
}

it('counts the CVEs that updates of the mirror fix, and says by what and when', async (test) => {
  test.skip(mirror === null, noMirror);
  const count = createCveCounter(home);
  const old = await imageWith([
    ['libssl3', '3.0.9-1', 'openssl'],
    ['not-of-debian', '1', 'not-of-debian'],
  ]);
  const measured = await count(debianPackages(old), signal);
  expect(Date.parse(measured.databaseDate)).toBeGreaterThan(Date.parse('2023-06-01'));
  const [openssl] = measured.sources;
  expect(openssl).toMatchObject({ source: 'openssl', installed: '3.0.9-1', complete: true });
  // Fixed in 3.0.11-1~deb12u2, which every mirror of bookworm has or is past.
  expect(openssl?.cves).toContain('CVE-2023-5363');
  expect(measured.count).toBe(openssl?.cves.length);

  const upToDate = await imageWith([['libssl3', openssl?.candidate ?? '', 'openssl']]);
  expect(await count(debianPackages(upToDate), signal)).toMatchObject({ count: 0, sources: [] });
  // Whoever makes a version up gets no better of it.
  for (const version of ['0', 'no version']) {
    const madeUp = await imageWith([['libssl3', version, 'openssl']]);
    expect((await count(debianPackages(madeUp), signal)).count).toBeGreaterThanOrEqual(measured.count);
  }

  const check = (noMoreThan: string) =>
    cveCount(count).run({ image: 'old', noMoreThan }, contextOf(old, { others: { 'up-to-date': upToDate } }));
  expect(await check('old')).toMatchObject({ status: 'pass' });
  expect(await check('up-to-date')).toMatchObject({
    status: 'fail',
    actual: matching(/^It has \d+, by Debian's packages of \d{4}-\d\d-\d\d: openssl 3\.0\.9-1 \(\d+: CVE-/),
    hint: holding('Most are in openssl: 3.0.9-1 is there'),
  });
});

it('uses what is at hand without a network, and guesses nothing where nothing is', async (test) => {
  test.skip(mirror === null, noMirror);
  const old = debianPackages(await imageWith([['libssl3', '3.0.9-1', 'openssl']]));
  const before = await createCveCounter(home)(old, signal);
  // A day later, and nobody answers.
  const [fetched = ''] = globSync(join(home, 'cves', 'bookworm-*', 'fetched'));
  utimesSync(fetched, 0, 0);
  const parts = join(home, 'apt.conf.d');
  mkdirSync(parts);
  const proxies = ['http', 'https'].map((scheme) => `Acquire::${scheme}::Proxy "http://127.0.0.1:9";\n`);
  writeFileSync(join(home, 'apt.conf'), [`Dir::Etc::parts "${parts}";\n`, ...proxies].join(''));
  vi.stubEnv('APT_CONFIG', join(home, 'apt.conf'));

  expect(await createCveCounter(home)(old, signal)).toEqual(before);
  // In the lists at hand, but its changelog was never read.
  const other = debianPackages(await imageWith([['libc6', '2.36-1', 'glibc']]));
  const asked = createCveCounter(home)(other, signal);
  await expect(asked).rejects.toMatchObject({
    code: 'cve_data_missing',
    message: holding('The changelog of libc6'),
    hint: holding('npx ballast cves --fetch bookworm'),
  });
  await expect(createCveCounter(join(home, 'empty'))(old, signal)).rejects.toMatchObject({
    code: 'cve_data_missing',
    message: holding('The package lists of Debian bookworm could not be fetched'),
  });

  vi.unstubAllEnvs();
  await fetchDebianData(home, 'bookworm');
  vi.stubEnv('APT_CONFIG', join(home, 'apt.conf'));
  expect((await createCveCounter(home)(other, signal)).count).toBeGreaterThan(0);
});

it('does not guess for an image of something else', async () => {
  const contents: ImageContents = { ...(await imageWith([])), text: new Map([['etc/os-release', 'ID=alpine\n']]) };
  const counting = createCveCounter(home)(debianPackages(contents), signal);
  await expect(counting).rejects.toMatchObject({ code: 'bad_request' });
});
