/** One version of a source package with which Debian mended vulnerabilities. */
export interface Advisory {
  readonly source: string;
  readonly fixedIn: string;
  /** ISO date of the version. */
  readonly date: string;
  readonly cves: readonly string[];
}

/** What the lines of a list come from. */
export interface AdvisoryPeriod {
  readonly release: string;
  /** ISO dates: the first day that counts, and that of the mirror's newest index. */
  readonly since: string;
  readonly until: string;
}

/** As text that `awk` and `grep` read: a line for each version, with tabs between source, version, date and CVEs. */
export function formatAdvisories(advisories: readonly Advisory[], { release, since, until }: AdvisoryPeriod): string {
  const lines = advisories
    .toSorted((a, b) => (a.source === b.source ? (a.date < b.date ? -1 : 1) : a.source < b.source ? -1 : 1))
    .map(({ source, fixedIn, date, cves }) => [source, fixedIn, date, cves.join(' ')].join('\t'));
  const head = `# CVEs that updates of Debian ${release} fixed from ${since} to ${until}, by the changelogs of its packages`;
  return [head, '# source package\tfixed in\tdate\tCVEs', ...lines, ''].join('\n');
}

/** Reads what `formatAdvisories` writes; lines that are none of its are left out. */
export function parseAdvisories(text: string): Advisory[] {
  return text.split('\n').flatMap((line) => {
    const [source = '', fixedIn, date, cves] = line.split('\t');
    if (source.startsWith('#') || fixedIn === undefined || date === undefined || cves === undefined) return [];
    return [{ source, fixedIn, date, cves: cves.split(' ').filter((cve) => cve !== '') }];
  });
}

/** Number of different CVEs that the advisories name for any of these source packages. */
export function countAdvised(advisories: readonly Advisory[], sources: ReadonlySet<string>): number {
  return new Set(advisories.filter(({ source }) => sources.has(source)).flatMap(({ cves }) => cves)).size;
}
