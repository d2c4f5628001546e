import { z } from 'zod';
import { formatDuration } from '../labs/quantities.ts';
import type { CheckKinds, RegisteredKind } from './kinds/index.ts';

/** A JSON Schema, as far as these pages need it. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly pattern?: string;
}

const notice = '<!-- Written by "npm run lab-schema" from the kind\'s own source. -->';

/** Pages on the kinds of checks, by file name; `README.md` lists them. */
export function kindPages(kinds: CheckKinds): ReadonlyMap<string, string> {
  const sorted = [...kinds.values()].toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
  const list = sorted.map(({ name, summary }) => `- [\`${name}\`](${name}.md): ${summary}`);
  const index = [
    notice,
    '',
    '# Kinds of checks',
    '',
    "A lab names them in the `checks` of its `lab.yaml`; `needs` orders them, and what depends on a check that has not passed is skipped and says why. A check ends in one of three ways: it passes, it fails with what was expected, what was seen and a hint, or it could not be judged, which is never the learner's fault.",
    '',
    ...list,
    '',
  ].join('\n');
  return new Map([['README.md', index], ...sorted.map((kind) => [`${kind.name}.md`, page(kind)] as const)]);
}

function page({ name, summary, docs, schema, timeoutMs, alone }: RegisteredKind): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  const example = [
    'checks:',
    `  - id: ${name}`,
    '    title: What the learner reads',
    '    points: 10',
    `    kind: ${name}`,
    '    with:',
    ...docs.example.split('\n').map((line) => (line === '' ? '' : `      ${line}`)),
  ];
  const limit = formatDuration(timeoutMs);
  return [
    notice,
    '',
    `# ${name}`,
    '',
    summary,
    '',
    '## What it looks at',
    '',
    docs.looksAt,
    ...(docs.limits === undefined ? [] : ['', docs.limits]),
    '',
    '## Example',
    '',
    '```yaml',
    ...example,
    '```',
    '',
    '## Parameters',
    '',
    '| Under `with` | Value | Meaning |',
    '| --- | --- | --- |',
    ...rows(json, ''),
    '',
    '## How it ends',
    '',
    '- **pass**: `expected` says what was asked, `actual` what was seen.',
    `- **fail**: ${docs.fails}`,
    `- **could not grade**: the sandbox or its engine does not answer, the image is past the limits of what is read, or the check takes longer than ${limit}. It costs nothing and can be asked for again; the log has the reason under the id that the learner is shown.`,
    ...(alone ? ['', 'In a live session no other check runs beside it: it measures.'] : []),
    '',
  ].join('\n');
}

function rows(schema: Schema, prefix: string): string[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, inner]) => {
    const path = `${prefix}${name}`;
    const optional = required.includes(name) ? '' : ', may be left out';
    const otherwise =
      inner.default === undefined || isEmpty(inner.default) ? '' : ` (\`${JSON.stringify(inner.default)}\`)`;
    const row = `| \`${path}\` | ${cell(typeOf(inner) + optional + otherwise)} | ${cell(inner.description ?? '')} |`;
    const below = inner.type === 'array' && inner.items !== undefined ? inner.items : inner;
    return [row, ...rows(below, below === inner ? `${path}.` : `${path}[].`)];
  });
}

function typeOf({ type, enum: values, anyOf, items, additionalProperties, pattern }: Schema): string {
  if (values !== undefined) return `one of ${values.map((value) => `\`${String(value)}\``).join(', ')}`;
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ');
  if (type === 'array') return items === undefined ? 'list' : `list of ${typeOf(items)}`;
  if (type === 'string' && pattern?.includes('(ms|s|m)') === true) return 'time (`500ms`, `10s`, `2m`)';
  if (type === 'string' && pattern?.includes('KiB') === true) return 'size (`20 MB`, `1.5 GiB`)';
  if (type === 'object' && typeof additionalProperties === 'object')
    return `names, each with a ${typeOf(additionalProperties)}`;
  if (type === 'integer') return 'whole number';
  if (type === 'boolean') return '`true` or `false`';
  return type === 'string' ? 'text' : type === 'null' ? '`null`' : String(type ?? 'any');
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Text that neither ends a cell nor makes a tag. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', '\\n');
