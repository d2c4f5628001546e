import { writeFile } from 'node:fs/promises';
import { plainText } from '../checks/plain-text.ts';
import { loadConfig } from '../config.ts';
import { createArchiveImageReader } from '../images/archive-image-reader.ts';
import { BallastError } from '../protocol/index.ts';
import { cveCaveat, measureCves } from '../vulnerabilities/measure-cves.ts';
import type { CveMeasurement } from '../vulnerabilities/measure-cves.ts';
import { imageSourceOf } from './image-source.ts';
import { report } from './report.ts';

/** `ballast cves IMAGE`: the CVEs that updates of Debian's would fix in an image; sets the exit status. */
export async function cves(image: string, options: { readonly format: string; readonly out?: string }): Promise<void> {
  try {
    const { home } = loadConfig();
    const contents = await createArchiveImageReader(await imageSourceOf(image)).read(image);
    const measured = await measureCves(contents, home);
    const json = `${JSON.stringify(measured, null, 2)}\n`;
    if (options.out !== undefined) await writeFile(options.out, json);
    process.stdout.write(options.format === 'json' ? json : formatCves(measured));
  } catch (error) {
    report(error);
    process.exitCode = error instanceof BallastError && ['bad_request', 'image_not_found'].includes(error.code) ? 2 : 3;
  }
}

function formatCves({ image, count, databaseDate, sources, looked, notLooked }: CveMeasurement): string {
  const lines = sources.map(({ source, installed, candidate, cves: found }) => {
    const what =
      found === null ? 'its changelog does not tell' : found.length === 0 ? 'no CVE named' : found.join(', ');
    return `  ${source} ${installed} → ${candidate}: ${what}`;
  });
  return [
    `${plainText(image, 200)}: ${String(count)} CVEs in ${String(sources.length)} source packages with updates (mirror of ${databaseDate.slice(0, 10)}; ${String(looked)} Debian packages looked at, ${String(notLooked)} others not)`,
    ...lines.map((line) => plainText(line, 2000)),
    cveCaveat,
    '',
  ].join('\n');
}
