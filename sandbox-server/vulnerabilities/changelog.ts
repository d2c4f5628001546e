/**
 * CVEs that a Debian changelog names as fixed by versions above the installed one.
 * @param text the changelog of the newer version, newest entry first
 * @param installed version of the source package that the image has
 * @returns null when the changelog does not reach down to the installed version
 */
export function fixedSince(text: string, installed: string): readonly string[] | null {
  const found = new Set<string>();
  for (const entry of text.split(/^(?=\S+ \([^)]+\) )/m)) {
    const version = /^\S+ \(([^)]+)\) /.exec(entry)?.[1];
    if (version === installed) return [...found].toSorted();
    for (const [cve] of entry.matchAll(/\bCVE-\d{4}-\d{4,7}\b/g)) found.add(cve);
  }
  return null;
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
