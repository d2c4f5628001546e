import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { untar } from '../images/untar.ts';
import { BallastError } from '../protocol/index.ts';
import { acceptsOldReleases, debianSources, readDebianMirror } from '../setup/debian-mirror.ts';
import { runProgram } from '../setup/run-program.ts';
import { changelogEntries, parseCandidates, parseChangelog } from './changelog.ts';
import type { Candidate, ChangelogEntries } from './changelog.ts';

/** Releases whose updates are looked up. What an image calls itself goes into paths and addresses. */
const knownReleases: readonly string[] = ['bullseye', 'bookworm', 'trixie', 'forky'];

/** What a Debian mirror knows of the packages of one release. */
export interface DebianData {
  /** Names the state of the data: another one, another name. */
  readonly version: string;
  /** Date of the mirror's newest index. */
  readonly date: string;
  /** The newest version of each package, by its name; those that the mirror does not have are left out. */
  candidates(names: readonly string[]): Promise<ReadonlyMap<string, Candidate>>;
  /**
   * Its changelog; null when the package has none of its own.
   * @throws BallastError cve_data_missing when it could not be fetched; it is then wanted
   */
  changelog(candidate: Candidate): Promise<ChangelogEntries | null>;
  /** Names of packages whose changelog could not be fetched. */
  wanted(): Promise<readonly string[]>;
}

const exec = promisify(execFile);
const dayMs = 24 * 3_600_000;
/** After a fetch that failed while older lists were at hand, those do for so long. */
const contentMs = 15 * 60_000;
const failedAt = new Map<string, number>();
const underWay = new Map<string, Promise<unknown>>();

/** Whoever asks for the same while it is under way gets the same. */
function once<Value>(key: string, make: () => Promise<Value>): Promise<Value> {
  // Under one key there is always the same sort of value.
  const known = underWay.get(key) as Promise<Value> | undefined;
  if (known !== undefined) return known;
  const making = make().finally(() => underWay.delete(key));
  underWay.set(key, making);
  return making;
}

/**
 * The changelog of a source, of the first of its packages that has one: some have it in another one.
 * @throws BallastError cve_data_missing when it can't be fetched
 */
export async function sourceChangelog(
  candidates: readonly Candidate[],
  data: Pick<DebianData, 'changelog'>,
): Promise<ChangelogEntries | null> {
  for (const candidate of candidates) {
    const entries = await data.changelog(candidate);
    if (entries !== null) return entries;
  }
  return null;
}

/**
 * Fetches the package lists of a release, and the changelogs that were wanted and could not be had.
 * @param home the server's home folder
 * @returns date of the mirror's newest index
 * @throws BallastError cve_data_missing, bad_request for a release that is not known
 */
export async function fetchDebianData(home: string, release: string): Promise<string> {
  const architecture = (await runProgram('dpkg', ['--print-architecture'])).trim();
  const data = await openDebianData(join(home, 'cves'), { release, architecture, refresh: true });
  const newest = await data.candidates(await data.wanted());
  for (const candidate of newest.values()) await data.changelog(candidate);
  return data.date;
}

/**
 * Package lists of a release in a folder, fetched by the host's apt with its own settings of proxies and certificates;
 * nothing is installed. They are fetched anew when they are a day old; where that fails, those at hand are used.
 * @param refresh fetch them in any case, and fail when that fails
 * @throws BallastError cve_data_missing, bad_request for a release that is not known
 */
export async function openDebianData(
  folder: string,
  { release, architecture, refresh = false }: { release: string; architecture: string; refresh?: boolean },
): Promise<DebianData> {
  if (!knownReleases.includes(release)) {
    throw new BallastError('bad_request', {
      message: `Debian "${release}" is not looked up.`,
      hint: `These are: ${knownReleases.join(', ')}.`,
    });
  }
  const root = join(folder, `${release}-${architecture}`);
  const stamp = join(root, 'fetched');
  const options = await aptOptions(root, release, architecture);
  const before = await stat(stamp).catch(() => null);
  const isFresh =
    before !== null && Math.max(before.mtimeMs + dayMs, (failedAt.get(root) ?? -Infinity) + contentMs) > Date.now();
  if (refresh || !isFresh) {
    try {
      await once(root, async () => {
        // Another process may be at it, and apt does not wait for its own lock on lists.
        const update = ['apt-get', ...options, 'update'];
        await runProgram('flock', ['--timeout', '120', join(root, 'lock'), ...update], { env: { LC_ALL: 'C' } });
        await writeFile(stamp, '');
      });
    } catch (error) {
      if (refresh || before === null) throw missing(release, error);
      failedAt.set(root, Date.now());
    }
  }
  const now = await stat(stamp).catch(() => null);
  return {
    version: `${root} ${String(now?.mtimeMs)}`,
    date: await indexDate(join(root, 'lists')),
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
    wanted: () => readdir(join(root, 'wanted')),
    async changelog(candidate) {
      const file = join(
        root,
        'changelogs',
        `${encodeURIComponent(candidate.package)}_${encodeURIComponent(candidate.version)}.json`,
      );
      const kept = changelogEntries.safeParse(await readJson(file));
      if (kept.success) return kept.data.length === 0 ? null : kept.data;
      return once(file, async () => {
        try {
          const entries = parseChangelog(await downloadChangelog(candidate, root, options));
          await writeFile(file, JSON.stringify(entries));
          await rm(join(root, 'wanted', candidate.package), { force: true });
          return entries.length === 0 ? null : entries;
        } catch (error) {
          await writeFile(join(root, 'wanted', candidate.package), '');
          throw missing(release, error, `The changelog of ${candidate.package} ${candidate.version}`);
        }
      });
    },
  };
}

function missing(release: string, cause: unknown, what = `The package lists of Debian ${release}`): BallastError {
  const why = cause instanceof Error ? (cause.message.split('\n').findLast((line) => line.trim() !== '') ?? '') : '';
  return new BallastError('cve_data_missing', {
    message: `${what} could not be fetched, and ${what.startsWith('The changelog') ? 'is' : 'are'} not at hand: ${why}`,
    hint: `On the machine that Ballast runs on, with a network: npx ballast cves --fetch ${release}`,
    cause,
  });
}

async function aptOptions(root: string, release: string, architecture: string): Promise<readonly string[]> {
  const mirror = await readDebianMirror();
  if (mirror === null) {
    throw new BallastError('cve_data_missing', {
      message: "CVEs are looked up in Debian's packages, and this machine's apt knows no mirror of Debian.",
      hint: 'Run Ballast on Debian, with its mirror in /etc/apt; there, npx ballast cves --fetch fetches the data.',
    });
  }
  for (const part of ['lists/partial', 'cache/archives/partial', 'changelogs', 'wanted'])
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
    // Without this, a mirror that does not answer is no error, and an image without updates has no CVE.
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
    ...((await acceptsOldReleases()) ? { 'Acquire::Check-Valid-Until': 'false' } : {}),
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Date of the newest index, as it says itself; empty when none does. */
async function indexDate(lists: string): Promise<string> {
  const dates: number[] = [];
  for (const name of await readdir(lists)) {
    if (!/(In)?Release$/.test(name)) continue;
    const date = Date.parse(/^Date: (.+)$/m.exec(await readFile(join(lists, name), 'utf8'))?.[1] ?? '');
    if (!Number.isNaN(date)) dates.push(date);
  }
  return dates.length === 0 ? '' : new Date(Math.max(...dates)).toISOString();
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    // Not there, or cut short: it is made anew.
    return undefined;
  }
}

/** The Debian changelog inside of a binary package; empty when it has none of its own. */
async function downloadChangelog(
  { package: name, version }: Candidate,
  root: string,
  options: readonly string[],
): Promise<string> {
  const folder = await mkdtemp(join(root, 'download-'));
  try {
    await runProgram('apt-get', [...options, 'download', `${name}=${version}`], { cwd: folder, env: { LC_ALL: 'C' } });
    const [file = ''] = await readdir(folder);
    const child = spawn('dpkg-deb', ['--fsys-tarfile', join(folder, file)], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    await untar(child.stdout as AsyncIterable<Uint8Array>, async ({ header, body }) => {
      if (text !== '' || header.type !== 'file') return;
      // Of Debian's own packages it is the only one; of others, changelog.gz is upstream's and has no such entries.
      if (!/^(\.\/)?usr\/share\/doc\/[^/]+\/changelog(\.Debian)?\.gz$/.test(header.name)) return;
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      const found = gunzipSync(Buffer.concat(chunks), { maxOutputLength: 32 * 1024 ** 2 }).toString('utf8');
      if (parseChangelog(found).length > 0) text = found;
    });
    return text;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
