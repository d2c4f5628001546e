import { findProgram, parseOsRelease } from './host-system.ts';
import { readFile } from 'node:fs/promises';
import { runProgram } from './run-program.ts';

/** Where Debian packages come from, as apt spells addresses. Null leaves it to mmdebstrap's own default. */
export interface DebianMirror {
  readonly main: string;
  readonly security: string | null;
}

interface Source {
  readonly uri: string;
  readonly release: string;
  readonly component: string;
}

/** Options of `apt-get indextargets` whose output `parseIndexTargets` reads. */
const listTargets = ['indextargets', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)', 'Created-By: Packages'];
const suiteAliases = ['stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid'];

function parseIndexTargets(output: string): readonly Source[] {
  return output.split('\n').flatMap((line) => {
    const [uri = '', release = '', component = ''] = line.trim().split('|');
    return component === 'main' && /^https?:\/\//.test(uri)
      ? [{ uri: uri.replace(/\/+$/, ''), release, component }]
      : [];
  });
}

/**
 * Which of a Debian host's package sources is its Debian mirror.
 * Third parties use Debian's suite names too; only Debian's mirror has the suite's updates beside it.
 * @param output of `apt-get indextargets` with the format `$(REPO_URI)|$(RELEASE)|$(COMPONENT)`.
 * @param codename of the host's release: "bookworm".
 */
export function chooseMirror(output: string, codename: string): DebianMirror | null {
  const sources = parseIndexTargets(output);
  const suites = [codename, ...suiteAliases];
  const main = sources.filter(({ release }) => suites.includes(release));
  const hasUpdates = ({ uri }: Source): boolean =>
    sources.some((other) => other.uri === uri && suites.some((suite) => other.release === `${suite}-updates`));
  const chosen = main.find(hasUpdates) ?? main.find(({ uri }) => uri.endsWith('/debian'));
  if (chosen === undefined) return null;
  const security = sources.find(({ release }) => suites.some((suite) => release === `${suite}-security`));
  return { main: chosen.uri, security: security?.uri ?? null };
}

/** The Debian mirror that this host is set up to use, or null where it is no Debian or says nothing. */
export async function readDebianMirror(): Promise<DebianMirror | null> {
  if (findProgram('apt-get') === null) return null;
  const release = parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  if (release.get('ID') !== 'debian') return null;
  return chooseMirror(await runProgram('apt-get', listTargets), release.get('VERSION_CODENAME') ?? '');
}

/** Whether this host's apt accepts Release files past their date (a frozen mirror); then so must what we make. */
export async function acceptsOldReleases(): Promise<boolean> {
  if (findProgram('apt-config') === null) return false;
  const output = await runProgram('apt-config', ['shell', 'valid', 'Acquire::Check-Valid-Until/b']);
  return output.includes("valid='false'");
}

/** A deb822 sources file for a suite, its updates and its security updates. */
export function debianSources(mirror: DebianMirror, suite: string): string {
  const stanza = (uri: string, suites: string): string =>
    [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suites}`,
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n');
  const parts = [stanza(mirror.main, `${suite} ${suite}-updates`)];
  if (mirror.security !== null) parts.push(stanza(mirror.security, `${suite}-security`));
  return parts.join('\n');
}
