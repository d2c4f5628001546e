import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CountCves, CveCount, OutdatedSource } from '../checks/cve-counter.ts';
import type { DebianPackages } from '../images/debian-packages.ts';
import { BallastError } from '../protocol/index.ts';
import { fixedSince } from './changelog.ts';
import type { Candidate } from './changelog.ts';
import { openDebianData, sourceChangelog } from './debian-data.ts';
import type { DebianData } from './debian-data.ts';

// What an image lists is somebody's claim: each name costs a comparison, each package with an update a download.
const maxPackages = 5000;
const maxOutdated = 300;
/** Images whose count is remembered. */
const remembered = 32;

/**
 * Counts the CVEs that updates of Debian's would fix in an image, with the mirror and the apt of this host; nothing of
 * the image is run.
 * @param home the server's home folder, where package lists and what changelogs say are kept
 */
export function createCveCounter(home: string): CountCves {
  const counts = new Map<string, CveCount>();
  return async (listed, signal) => {
    const { release, architecture, packages } = listed;
    if (release === null || architecture === null) {
      throw new BallastError('bad_request', {
        message: 'The image does not say that it is of a release of Debian: /etc/os-release has no ID=debian with one.',
        hint: 'CVEs are looked up in the changelogs of Debian packages.',
      });
    }
    const data = await openDebianData(join(home, 'cves'), { release, architecture });
    // By what was counted, not by the image's id: that is for the image's engine to say, which may be a learner's.
    const key = createHash('sha256')
      .update(JSON.stringify([data.version, packages]))
      .digest('hex');
    const known = counts.get(key);
    if (known !== undefined) return known;
    const count = await countCves(packages, data, isOlder, signal);
    counts.set(key, count);
    for (const oldest of counts.keys()) {
      if (counts.size <= remembered) break;
      counts.delete(oldest);
    }
    return count;
  };
}

/**
 * @param olderThan whether a version is older than another, as dpkg orders them
 * @throws BallastError too_large
 */
export async function countCves(
  packages: DebianPackages['packages'],
  data: DebianData,
  olderThan: (version: string, than: string) => Promise<boolean>,
  signal?: AbortSignal,
): Promise<CveCount> {
  if (packages.length > maxPackages)
    throw new BallastError('too_large', { message: `The image lists more than ${String(maxPackages)} packages.` });
  const newest = await data.candidates([...new Set(packages.map(({ name }) => name))]);
  const bySource = new Map<string, { readonly installed: string; readonly candidates: Candidate[] }>();
  for (const { name, version, source } of packages) {
    signal?.throwIfAborted();
    const candidate = newest.get(name);
    const installed = source ?? { name, version: version.replace(/\+b\d+$/, '') };
    if (candidate?.source.name !== installed.name) continue;
    if (!(await olderThan(installed.version, candidate.source.version))) continue;
    const known = bySource.get(installed.name);
    if (known === undefined) bySource.set(installed.name, { installed: installed.version, candidates: [candidate] });
    else known.candidates.push(candidate);
    if (bySource.size > maxOutdated) {
      throw new BallastError('too_large', {
        message: `More than ${String(maxOutdated)} source packages of the image have updates.`,
        hint: 'Build it on a newer base image.',
      });
    }
  }
  const sources: OutdatedSource[] = [];
  for (const [source, { installed, candidates }] of [...bySource].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    signal?.throwIfAborted();
    const entries = await sourceChangelog(candidates, data);
    const fixed =
      entries === null
        ? { cves: [], complete: false }
        : await fixedSince(entries, installed, (than) => olderThan(installed, than));
    sources.push({ source, installed, candidate: candidates[0]?.source.version ?? '', ...fixed });
  }
  const count = new Set(sources.flatMap(({ cves }) => cves)).size;
  return { count, sources, databaseDate: data.date };
}

const exec = promisify(execFile);

async function isOlder(version: string, than: string): Promise<boolean> {
  if (version === than) return false;
  try {
    await exec('dpkg', ['--compare-versions', '--', version, 'lt', than]);
    return true;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    // 2 is for what is no version: whoever made it up gets no better of it.
    if (code === 1 || code === 2) return code === 2;
    throw error;
  }
}
