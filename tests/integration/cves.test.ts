import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, it } from 'vitest';
import { createArchiveImageReader } from '../../sandbox-server/images/archive-image-reader.ts';
import type { ImageContents } from '../../sandbox-server/images/image-reader.ts';
import { readDebianMirror } from '../../sandbox-server/setup/debian-mirror.ts';
import { cveMeasurement, measureCves } from '../../sandbox-server/vulnerabilities/measure-cves.ts';
import { makeImage, makeTar } from '../helpers/archives.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-cves-'));
const mirror = await readDebianMirror();
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
  test.skip(mirror === null, 'because the apt of this host knows no mirror of Debian');
  const measured = await measureCves(
    await imageWith([
      ['libssl3', '3.0.9-1', 'openssl'],
      ['not-of-debian', '1', 'not-of-debian'],
    ]),
    home,
  );
  expect(cveMeasurement.parse(measured)).toEqual(measured);
  expect(measured).toMatchObject({ tool: 'debian-changelogs', release: 'bookworm', looked: 2, notLooked: 0 });
  expect(Date.parse(measured.databaseDate)).toBeGreaterThan(Date.parse('2023-06-01'));
  const [openssl] = measured.sources;
  expect(openssl).toMatchObject({ source: 'openssl', installed: '3.0.9-1' });
  // Fixed in 3.0.11-1~deb12u2, which every mirror of bookworm has or is past.
  expect(openssl?.cves).toContain('CVE-2023-5363');
  expect(measured.count).toBe(openssl?.cves?.length);

  const upToDate = await measureCves(await imageWith([['libssl3', openssl?.candidate ?? '', 'openssl']]), home);
  expect(upToDate).toMatchObject({ count: 0, sources: [] });
});

it('does not guess for an image of something else', async () => {
  const contents: ImageContents = { ...(await imageWith([])), text: new Map([['etc/os-release', 'ID=alpine\n']]) };
  await expect(measureCves(contents, home)).rejects.toMatchObject({ code: 'bad_request' });
});
