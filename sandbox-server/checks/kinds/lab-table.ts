import { z } from 'zod';
import { debianPackages } from '../../images/debian-packages.ts';
import { countAdvised, parseAdvisories } from '../../vulnerabilities/advisory-list.ts';
import type { CheckKind } from '../check-kind.ts';
import { readLabFile } from '../dockerfile.ts';
import { imageParameter, relativePath } from '../parameters.ts';
import { countPackages } from './package-count.ts';

const schema = z.strictObject({
  file: relativePath.default('TABLE.md').describe('File of the lab folder with a table in Markdown.'),
  rows: z
    .record(z.string().min(1), imageParameter)
    .describe('First cell of each row, with the image that it is about.'),
  megabytes: z.string().min(1).optional().describe('Heading of the column with sizes in MB (a million bytes).'),
  dpkg: z.string().min(1).optional().describe("Heading of the column with the number of Debian's packages."),
  cves: z
    .strictObject({
      heading: z.string().min(1).describe('Heading of the column.'),
      advisories: relativePath.describe('File of the lab folder that says what Debian mended, by "ballast measure".'),
    })
    .optional()
    .describe('Column with the number of CVEs that the file names for packages that the image lists.'),
  filled: z.array(z.string().min(1)).default([]).describe('Headings of columns that hold some number in each row.'),
  tolerancePercent: z.number().min(0).max(100).default(10).describe('How far a number may be off.'),
});
type Parameters = z.output<typeof schema>;

/** What the images say of themselves, for one row. */
export interface Measured {
  readonly megabytes: number;
  readonly dpkg: number;
  readonly cves: number;
}

/** A table that was measured is right about the images as they are; one that was copied or made up is not. */
export const labTable: CheckKind<Parameters> = {
  name: 'lab-table',
  summary: 'A table in the lab folder says of images what is measured of them: sizes, numbers of packages and of CVEs.',
  docs: {
    looksAt: 'A table in Markdown in the lab folder, compared with what is measured of the images as they are now.',
    example: `file: TABLE.md
rows:
  slim: greeter:slim
megabytes: Size`,
    fails: 'Says which row or column is missing, or which number is off and by what was measured.',
  },
  schema,
  timeoutMs: 240_000,
  async run(parameters, context) {
    const { file, rows, cves, tolerancePercent } = parameters;
    const expected = `The table in ${file} has the rows ${Object.keys(rows).join(', ')}, with numbers that are within ${String(tolerancePercent)} % of what is measured.`;
    const text = await readLabFile(context, file);
    const hint = 'Measure the images as they are now and put the rows under the heading of the table.';
    if (text === null) return { status: 'fail', expected, actual: `There is no ${file}.`, hint };
    const advisories = parseAdvisories(cves === undefined ? '' : ((await readLabFile(context, cves.advisories)) ?? ''));
    const measured = new Map<string, Measured>();
    for (const [row, image] of Object.entries(rows)) {
      const contents = await context.images.read(image, context.signal);
      const sources = new Set(debianPackages(contents).packages.map(({ name, source }) => source?.name ?? name));
      measured.set(row, {
        megabytes: contents.sizeBytes / 1e6,
        dpkg: countPackages(contents, ['dpkg']).total,
        cves: countAdvised(advisories, sources),
      });
    }
    const wrong = judgeTable(parseTable(text), parameters, measured);
    if (wrong === undefined) return { status: 'pass', expected, actual: 'It does.' };
    return { status: 'fail', expected, actual: wrong, hint };
  },
};

/** Rows of the tables of a text in Markdown: first cell to heading to cell. Of two rows with one name the last counts. */
export function parseTable(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const rows = new Map<string, ReadonlyMap<string, string>>();
  let headings: readonly string[] | undefined;
  for (const line of text.split('\n')) {
    if (!/^\s*\|.*\|\s*$/.test(line)) {
      headings = undefined;
      continue;
    }
    const cells = line
      .trim()
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    if (headings === undefined) headings = cells;
    else if (!cells.every((cell) => /^:?-+:?$/.test(cell)))
      rows.set(cells[0] ?? '', new Map(headings.map((heading, index) => [heading, cells[index] ?? ''])));
  }
  return rows;
}

/** The first thing that is wrong with the table, or undefined. What was measured is not told: it is to be measured. */
export function judgeTable(
  table: ReturnType<typeof parseTable>,
  { megabytes, dpkg, cves, filled, tolerancePercent }: Omit<Parameters, 'rows' | 'file'>,
  measured: ReadonlyMap<string, Measured>,
): string | undefined {
  for (const [row, truth] of measured) {
    const cells = table.get(row);
    if (cells === undefined) return `There is no row "${row}".`;
    const columns = [
      { heading: megabytes, right: truth.megabytes, slack: 0 },
      // A whole number may be off by one where the share of it is less than that.
      { heading: dpkg, right: truth.dpkg, slack: 1 },
      { heading: cves?.heading, right: truth.cves, slack: 1 },
    ].flatMap(({ heading, ...column }) => (heading === undefined ? [] : [{ heading, ...column }]));
    for (const heading of [...columns.map((column) => column.heading), ...filled]) {
      if (readNumber(cells.get(heading)) === undefined) return `The row "${row}" has no number under "${heading}".`;
    }
    for (const { heading, right, slack } of columns) {
      const said = readNumber(cells.get(heading)) ?? 0;
      const allowed = right === 0 ? 0 : Math.max(slack, (right * tolerancePercent) / 100);
      if (Math.abs(said - right) > allowed)
        return `The row "${row}" says ${String(said)} under "${heading}", and that is not what the image is now.`;
    }
  }
  return undefined;
}

function readNumber(cell: string | undefined): number | undefined {
  const number = /^\d+(?:[.,]\d+)?/.exec(cell ?? '')?.[0];
  return number === undefined ? undefined : Number(number.replace(',', '.'));
}
