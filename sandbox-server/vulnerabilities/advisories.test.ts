import { expect, it } from 'vitest';
import type { ImagePackage } from '../images/packages.ts';
import { countAdvised, formatAdvisories, parseAdvisories } from './advisory-list.ts';
import type { ChangelogEntries } from './changelog.ts';
import { collectAdvisories } from './collect-advisories.ts';

const listed = (name: string): ImagePackage => ({ system: 'dpkg', name, version: '1', path: 'var/lib/dpkg/status' });
const changelogs: Readonly<Record<string, ChangelogEntries | null>> = {
  libssl3: null,
  openssl: [
    ['3.5.4-1', ['CVE-2026-0002', 'CVE-2026-0003'], '2026-10-01'],
    ['3.5.3-1', [], '2026-05-01'],
    ['3.5.2-1', ['CVE-2026-0001'], '2026-02-01'],
    ['3.5.1-1', ['CVE-2025-0001'], '2025-02-01'],
  ],
  tar: [['1.35-2', ['CVE-2026-0003'], '2026-03-01']],
};
const data = {
  candidates: (names: readonly string[]) =>
    Promise.resolve(
      new Map(
        names
          .filter((name) => name in changelogs)
          .map((name) => {
            const source = { name: name === 'tar' ? 'tar' : 'openssl', version: '1' };
            return [name, { package: name, version: '1', source }] as const;
          }),
      ),
    ),
  changelog: (candidate: { readonly package: string }) => Promise.resolve(changelogs[candidate.package] ?? null),
};

it('collects what was mended since a date, by the first package of a source that has its changelog', async () => {
  const packages = ['libssl3', 'openssl', 'tar', 'somebody-elses'].map(listed);
  const advisories = await collectAdvisories(packages, data, '2025-11-20');
  expect(advisories).toEqual([
    { source: 'openssl', fixedIn: '3.5.4-1', date: '2026-10-01', cves: ['CVE-2026-0002', 'CVE-2026-0003'] },
    { source: 'openssl', fixedIn: '3.5.2-1', date: '2026-02-01', cves: ['CVE-2026-0001'] },
    { source: 'tar', fixedIn: '1.35-2', date: '2026-03-01', cves: ['CVE-2026-0003'] },
  ]);
  const text = formatAdvisories(advisories, { release: 'trixie', since: '2025-11-20', until: '2026-11-20' });
  expect(text.split('\n').slice(2, 4)).toEqual([
    'openssl\t3.5.2-1\t2026-02-01\tCVE-2026-0001',
    'openssl\t3.5.4-1\t2026-10-01\tCVE-2026-0002 CVE-2026-0003',
  ]);
  const parsed = parseAdvisories(text);
  expect(parsed).toHaveLength(3);
  expect(parsed).toEqual(expect.arrayContaining(advisories));
});

it('counts each CVE once, of the sources that an image has', () => {
  const advisories = parseAdvisories('#x\na\t1\t2026-01-01\tCVE-1 CVE-2\nb\t1\t2026-01-01\tCVE-2\nnonsense\n');
  expect(countAdvised(advisories, new Set(['a', 'b']))).toBe(2);
  expect(countAdvised(advisories, new Set(['b']))).toBe(1);
  expect(countAdvised(advisories, new Set())).toBe(0);
});
