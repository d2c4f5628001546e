import type { ImagePackage } from '../images/packages.ts';
import type { Advisory } from './advisory-list.ts';
import { sourceChangelog } from './debian-data.ts';
import type { DebianData } from './debian-data.ts';

/**
 * What Debian mended since a date in the sources of these packages, by their changelogs.
 * @param since ISO date
 * @throws BallastError cve_data_missing when a changelog can't be fetched
 */
export async function collectAdvisories(
  packages: readonly ImagePackage[],
  data: Pick<DebianData, 'candidates' | 'changelog'>,
  since: string,
): Promise<Advisory[]> {
  const newest = await data.candidates([...new Set(packages.map(({ name }) => name))]);
  const bySource = Map.groupBy(newest.values(), ({ source }) => source.name);
  const advisories: Advisory[] = [];
  for (const [source, candidates] of bySource) {
    for (const [fixedIn, cves, date] of (await sourceChangelog(candidates, data)) ?? [])
      if (cves.length > 0 && date >= since) advisories.push({ source, fixedIn, date, cves });
  }
  return advisories;
}
