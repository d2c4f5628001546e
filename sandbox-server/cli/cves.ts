import { writeFile } from 'node:fs/promises';
import type { CveCount } from '../checks/cve-counter.ts';
import { plainText } from '../checks/plain-text.ts';
import { loadConfig } from '../config.ts';
import { createArchiveImageReader } from '../images/archive-image-reader.ts';
import { debianPackages } from '../images/debian-packages.ts';
import { BallastError } from '../protocol/index.ts';
import { createCveCounter } from '../vulnerabilities/count-cves.ts';
import { fetchDebianData } from '../vulnerabilities/debian-data.ts';
import { imageSourceOf } from './image-source.ts';
import { report } from './report.ts';

/** CVEs of an image, by one tool at one time. Measurements of two tools must not be compared. */
interface CveMeasurement extends CveCount {
  readonly tool: 'debian-changelogs';
  readonly toolVersion: string;
  readonly image: string;
  readonly digest: string;
  readonly release: string;
  /** Debian packages that were looked up, and packages of other systems, which were not. */
  readonly looked: number;
  readonly notLooked: number;
}

/** What the figure does not say; to be shown wherever it is. */
const caveat =
  "CVEs that Debian's changelogs name as fixed by updates that the image does not have. It undercounts: what has no fix yet is invisible, packages of other systems are not looked at, and nothing is said of severity.";

export interface CvesOptions {
  readonly format: string;
  readonly out?: string;
  /** Releases of Debian whose data are to be fetched. */
  readonly fetch?: readonly string[];
}

/** `ballast cves [IMAGE]`: the CVEs that updates of Debian's would fix in an image; sets the exit status. */
export async function cves(image: string | undefined, options: CvesOptions): Promise<void> {
  try {
    const { home } = loadConfig();
    for (const release of options.fetch ?? []) {
      const date = await fetchDebianData(home, release);
      process.stderr.write(`Debian ${release}: package lists of ${date.slice(0, 10)}\n`);
    }
    if (image !== undefined) await measure(image, home, options);
    else if (options.fetch === undefined)
      throw new BallastError('bad_request', { message: 'No image is named.', hint: 'ballast cves IMAGE' });
  } catch (error) {
    report(error);
    process.exitCode = error instanceof BallastError && ['bad_request', 'image_not_found'].includes(error.code) ? 2 : 3;
  }
}

async function measure(image: string, home: string, options: CvesOptions): Promise<void> {
  const contents = await createArchiveImageReader(await imageSourceOf(image)).read(image);
  const listed = debianPackages(contents);
  const measured: CveMeasurement = {
    tool: 'debian-changelogs',
    toolVersion: '2',
    image: contents.ref,
    digest: contents.id,
    release: listed.release ?? '',
    looked: listed.packages.length,
    notLooked: listed.others.length,
    ...(await createCveCounter(home)(listed, new AbortController().signal)),
  };
  const json = `${JSON.stringify(measured, null, 2)}\n`;
  if (options.out !== undefined) await writeFile(options.out, json);
  process.stdout.write(options.format === 'json' ? json : formatCves(measured));
}

function formatCves({ image, count, databaseDate, sources, looked, notLooked }: CveMeasurement): string {
  const lines = sources.map(({ source, installed, candidate, cves: found, complete }) => {
    const named = found.length === 0 ? 'no CVE named' : found.join(', ');
    return `  ${source} ${installed} → ${candidate}: ${named}${complete ? '' : '; the changelog does not reach down that far'}`;
  });
  return [
    `${plainText(image, 200)}: ${String(count)} CVEs in ${String(sources.length)} source packages with updates (mirror of ${databaseDate.slice(0, 10)}; ${String(looked)} Debian packages looked at, ${String(notLooked)} others not)`,
    ...lines.map((line) => plainText(line, 2000)),
    caveat,
    '',
  ].join('\n');
}
