import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { ImageContents } from '../images/image-reader.ts';
import { untar } from '../images/untar.ts';
import { BallastError } from '../protocol/index.ts';
import { acceptsOldReleases, debianSources, readDebianMirror } from '../setup/debian-mirror.ts';
import { runProgram } from '../setup/run-program.ts';
import { fixedSince, parseCandidates } from './changelog.ts';
import type { Candidate } from './changelog.ts';

const tool = 'debian-changelogs';
const toolVersion = '1';

const outdated = z.object({
  source: z.string(),
  installed: z.string(),
  candidate: z.string(),
  /** Null when its changelog could not be read down to the installed version. */
  cves: z.array(z.string()).nullable(),
});

/** CVEs of an image, by one tool at one time. Measurements of two tools must not be compared. */
export const cveMeasurement = z.object({
  tool: z.literal(tool),
  toolVersion: z.string(),
  /** When the mirror's index was made. */
  databaseDate: z.string(),
  image: z.string(),
  digest: z.string(),
  release: z.string(),
  /** Different CVEs of all source packages together. */
  count: z.int().nonnegative(),
  /** Source packages of which the mirror has a newer version. */
  sources: z.array(outdated),
  /** Debian packages that were looked at, and packages of other systems, which were not. */
  looked: z.int().nonnegative(),
  notLooked: z.int().nonnegative(),
});
export type CveMeasurement = z.infer<typeof cveMeasurement>;

/** What the figure does not say; to be shown wherever it is. */
export const cveCaveat =
  "CVEs that Debian's changelogs name as fixed by updates that the image does not have. It undercounts: what has no fix yet is invisible, packages of other systems are not looked at, and nothing is said of severity.";

/**
 * Counts the CVEs that updates of Debian's would fix in an image, with the mirror and the apt of this host; nothing of
 * the image is run. What changelogs say is kept in `home` by source package and versions.
 * @param contents an image with Debian packages
 * @param home the server's home folder
 * @throws BallastError bad_request for an image of another distribution, setup_failed without apt or a mirror
 */
export async function measureCves(contents: ImageContents, home: string): Promise<CveMeasurement> {
  const release = codename(contents.text.get('etc/os-release') ?? '');
  const packages = contents.packages.filter(({ system }) => system === 'dpkg');
  if (release === null) {
    throw new BallastError('bad_request', {
      message: `${contents.ref} does not say that it is of Debian: /etc/os-release has no ID=debian with a VERSION_CODENAME.`,
      hint: 'This way of counting reads the changelogs of Debian packages.',
    });
  }
  const apt = await openApt(join(home, 'cves'), release, contents.config.architecture);
  const candidates = await apt.candidates([...new Set(packages.map(({ name }) => name))]);
  const bySource = new Map<string, { installed: string; candidate: Candidate }>();
  for (const { name, version, source } of packages) {
    const candidate = candidates.get(name);
    const installed = source ?? { name, version: version.replace(/\+b\d+$/, '') };
    if (candidate?.source.name !== installed.name) continue;
    if (await isOlder(installed.version, candidate.source.version))
      bySource.set(installed.name, { installed: installed.version, candidate });
  }
  const sources: z.output<typeof outdated>[] = [];
  for (const [source, { installed, candidate }] of [...bySource].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const cves = await apt.fixed(candidate, installed);
    sources.push({ source, installed, candidate: candidate.source.version, cves: cves === null ? null : [...cves] });
  }
  return {
    tool,
    toolVersion,
    databaseDate: await apt.date(),
    image: contents.ref,
    digest: contents.id,
    release,
    count: new Set(sources.flatMap(({ cves }) => cves ?? [])).size,
    sources,
    looked: packages.length,
    notLooked: contents.packages.length - packages.length,
  };
}

/** The suite of a Debian image; null for anything else. */
export function codename(osRelease: string): string | null {
  const field = (name: string): string | undefined => new RegExp(`^${name}="?([a-z]+)"?$`, 'm').exec(osRelease)?.[1];
  return field('ID') === 'debian' ? (field('VERSION_CODENAME') ?? null) : null;
}

const exec = promisify(execFile);

async function isOlder(version: string, than: string): Promise<boolean> {
  if (version === than) return false;
  try {
    await exec('dpkg', ['--compare-versions', '--', version, 'lt', than]);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 1) return false;
    throw error;
  }
}

interface Apt {
  /** The newest version of each package, by its name; those that the mirror does not have are left out. */
  candidates(names: readonly string[]): Promise<ReadonlyMap<string, Candidate>>;
  /** CVEs fixed between a version and the candidate; null when the changelog does not tell. */
  fixed(candidate: Candidate, installed: string): Promise<readonly string[] | null>;
  /** Date of the mirror's newest index, as it says it. */
  date(): Promise<string>;
}

/** The host's apt with its own settings of proxies and certificates, but with lists of another release and nothing installed. */
async function openApt(folder: string, release: string, architecture: string): Promise<Apt> {
  const mirror = await readDebianMirror();
  if (mirror === null) {
    throw new BallastError('setup_failed', {
      message: "This host's apt knows no mirror of Debian.",
      hint: 'Run it on Debian, or use trivy or grype with a database of their own.',
    });
  }
  const root = join(folder, `${release}-${architecture}`);
  for (const part of ['lists/partial', 'cache/archives/partial', 'found'])
    await mkdir(join(root, part), { recursive: true });
  await writeFile(join(root, 'debian.sources'), debianSources(mirror, release));
  await writeFile(join(root, 'status'), '');
  const settings: Readonly<Record<string, string>> = {
    'Dir::Etc::sourcelist': join(root, 'debian.sources'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State': root,
    'Dir::State::lists': join(root, 'lists'),
    'Dir::State::status': join(root, 'status'),
    'Dir::Cache': join(root, 'cache'),
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    ...((await acceptsOldReleases()) ? { 'Acquire::Check-Valid-Until': 'false' } : {}),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await runProgram('apt-get', [...options, 'update'], { env: { LC_ALL: 'C' } });

  return {
    async candidates(names) {
      const wanted = names.filter((name) => /^[a-z0-9][a-z0-9+.-]+$/.test(name));
      if (wanted.length === 0) return new Map();
      // Names that the mirror does not have are named on standard error, and the exit code is then not 0.
      const { stdout } = await exec('apt-cache', [...options, 'show', '--no-all-versions', ...wanted], {
        maxBuffer: 64 * 1024 ** 2,
        env: { ...process.env, LC_ALL: 'C' },
      }).catch((error: unknown) => error as { stdout: string });
      return new Map(parseCandidates(stdout).map((candidate) => [candidate.package, candidate]));
    },
    async fixed(candidate, installed) {
      const key = [candidate.source.name, candidate.source.version, installed].map(encodeURIComponent).join('_');
      const file = join(root, 'found', `${key}.json`);
      const known = z.array(z.string()).safeParse(await readJson(file));
      if (known.success) return known.data;
      const text = await changelog(candidate, root, options);
      const found = text === null ? null : fixedSince(text, installed);
      if (found !== null) await writeFile(file, JSON.stringify(found));
      return found;
    },
    async date() {
      const dates: number[] = [];
      for (const name of await readdir(join(root, 'lists'))) {
        if (!/(In)?Release$/.test(name)) continue;
        const date = Date.parse(/^Date: (.+)$/m.exec(await readFile(join(root, 'lists', name), 'utf8'))?.[1] ?? '');
        if (!Number.isNaN(date)) dates.push(date);
      }
      return dates.length === 0 ? '' : new Date(Math.max(...dates)).toISOString();
    },
  };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    // Not there, or cut short: it is made anew.
    return undefined;
  }
}

/** The Debian changelog inside of a binary package; null when it has none of its own. */
async function changelog(
  { package: name, version }: Candidate,
  root: string,
  options: readonly string[],
): Promise<string | null> {
  const folder = await mkdtemp(join(root, 'download-'));
  try {
    await runProgram('apt-get', [...options, 'download', `${name}=${version}`], { cwd: folder, env: { LC_ALL: 'C' } });
    const [file] = await readdir(folder);
    if (file === undefined) return null;
    const child = spawn('dpkg-deb', ['--fsys-tarfile', join(folder, file)], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text: string | null = null;
    await untar(child.stdout as AsyncIterable<Uint8Array>, async ({ header, body }) => {
      if (text !== null || header.type !== 'file') return;
      if (!/^(\.\/)?usr\/share\/doc\/[^/]+\/changelog\.Debian\.gz$/.test(header.name)) return;
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      text = gunzipSync(Buffer.concat(chunks), { maxOutputLength: 32 * 1024 ** 2 }).toString('utf8');
    });
    return text;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
