import { z } from 'zod';

/** Versions of a source package, newest first, with the CVEs that each names as fixed, and its ISO date (or nothing). */
export const changelogEntries = z.array(z.tuple([z.string(), z.array(z.string()), z.string()]));
export type ChangelogEntries = z.infer<typeof changelogEntries>;

/** Reads a Debian changelog; what is none has no entries. */
export function parseChangelog(text: string): ChangelogEntries {
  return text.split(/^(?=\S+ \([^)\s]+\) )/m).flatMap((entry) => {
    const version = /^\S+ \(([^)\s]+)\) [^;\n]+;/.exec(entry)?.[1];
    if (version === undefined) return [];
    const cves = [...entry.matchAll(/\bCVE-\d{4}-\d{4,7}\b/g)].map(([cve]) => cve);
    const signed = Date.parse(/^ -- .+> {1,2}(.+)$/m.exec(entry)?.[1] ?? '');
    const date = Number.isNaN(signed) ? '' : new Date(signed).toISOString().slice(0, 10);
    return [[version, [...new Set(cves)], date]];
  });
}

/**
 * CVEs that a changelog names as fixed by versions above the installed one.
 * @param isOlder whether the installed version is older than another
 * @returns `complete` is false when the changelog does not reach down to the installed version
 */
export async function fixedSince(
  entries: ChangelogEntries,
  installed: string,
  isOlder: (than: string) => Promise<boolean>,
): Promise<{ readonly cves: readonly string[]; readonly complete: boolean }> {
  let above = entries.findIndex(([version]) => version === installed);
  const complete = above >= 0 || (entries.length > 0 && !(await isOlder(entries.at(-1)?.[0] ?? '')));
  if (above < 0) {
    // Not one of them, such as a rebuild or somebody's own: how many of them are newer, which come first.
    let [from, to] = [0, entries.length];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if (await isOlder(entries[middle]?.[0] ?? '')) from = middle + 1;
      else to = middle;
    }
    above = from;
  }
  const cves = new Set(entries.slice(0, above).flatMap(([, named]) => named));
  return { cves: [...cves].toSorted(), complete };
}

/** What apt says of the newest version of a package. */
export interface Candidate {
  readonly package: string;
  readonly version: string;
  readonly source: { readonly name: string; readonly version: string };
}

/** Reads the paragraphs that `apt-cache show` prints. */
export function parseCandidates(output: string): Candidate[] {
  return output.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}: *(.+)$`, 'm').exec(paragraph)?.[1];
    const [name, version] = [field('Package'), field('Version')];
    if (name === undefined || version === undefined) return [];
    return [{ package: name, version, source: parseSource(field('Source'), name, version) }];
  });
}

/** "openssl (3.0.1-1)", "openssl" or nothing, as dpkg and apt write it; a rebuild's "+b1" is of the binary alone. */
export function parseSource(
  source: string | undefined,
  name: string,
  version: string,
): { readonly name: string; readonly version: string } {
  const [, sourceName, sourceVersion] = /^(\S+)(?: \(([^)]+)\))?$/.exec(source?.trim() ?? '') ?? [];
  return { name: sourceName ?? name, version: sourceVersion ?? version.replace(/\+b\d+$/, '') };
}
