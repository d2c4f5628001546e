import { z } from 'zod';
import type { CheckKinds } from './kinds/index.ts';

/** Marks in CONTRIBUTING.md between which the table stands. */
const marks = { begin: '<!-- kinds:begin -->', end: '<!-- kinds:end -->' } as const;

interface JsonSchema {
  readonly properties?: Readonly<Record<string, Property>>;
  readonly required?: readonly string[];
}

interface Property {
  readonly description?: string;
  readonly default?: unknown;
}

/**
 * Put the table of all kinds with their parameters into a text, in place of the one that it has.
 * @throws Error when the text lacks the marks
 */
export function withKindsTable(text: string, kinds: CheckKinds): string {
  const begin = text.indexOf(marks.begin);
  const end = text.indexOf(marks.end);
  if (begin < 0 || end < begin)
    throw new Error(`The text needs a line ${marks.begin} and, after it, one ${marks.end}.`);
  return `${text.slice(0, begin + marks.begin.length)}\n\n${kindsTable(kinds)}\n${text.slice(end)}`;
}

function kindsTable(kinds: CheckKinds): string {
  const rows = [...kinds.values()]
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(
      ({ name, summary, schema }) =>
        `| [\`${name}\`](docs/checks/${name}.md) | ${cell(summary)} | ${parameters(schema)} |`,
    );
  return [
    '<!-- Written by "npm run lab-schema". -->',
    '<!-- prettier-ignore-start -->',
    '',
    '| Kind | Passes when | Parameters under `with` (a star: may be left out) |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '<!-- prettier-ignore-end -->',
    '',
  ].join('\n');
}

function parameters(schema: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema;
  return Object.entries(properties)
    .map(([name, { description, default: value }]) => {
      const star = required.includes(name) ? '' : '\\*';
      const otherwise = value === undefined || isEmpty(value) ? '' : ` (\`${JSON.stringify(value)}\`)`;
      return `\`${name}\`${star}${cell(description === undefined ? '' : `: ${description.replace(/\.$/, '')}`)}${cell(otherwise)}`;
    })
    .join('<br>');
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Text that neither ends a cell nor makes a tag. */
const cell = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', '\\n').replaceAll('*', '\\*');
