import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { measuredFigure } from '../measurements.ts';

const folder = (name: string): string => new URL(name, import.meta.url).pathname;
const pages = ['lessons', 'guides'].flatMap((name) =>
  readdirSync(folder(name))
    .filter((file) => file.endsWith('.mdx'))
    .map((file) => ({ name: `${name}/${file}`, source: readFileSync(join(folder(name), file), 'utf8') })),
);
const glossary = parse(readFileSync(folder('glossary/terms.yaml'), 'utf8')) as Record<string, unknown>;

/** Attributes of each use of a component. */
function uses(source: string, component: string): Record<string, string>[] {
  return [...source.matchAll(new RegExp(`<${component}\\b([^>]*?)/?>`, 'g'))].map(([, attributes = '']) =>
    Object.fromEntries([...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])),
  );
}

/** The running text: no front matter, code, components' attributes, quotations or comments. */
function prose(source: string): string {
  return source
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replaceAll(/^(`{3,})[\s\S]*?^\1$/gm, '')
    .replaceAll(/<Quoted\b[\s\S]*?<\/Quoted>/g, '')
    .replaceAll(/\{\/\*[\s\S]*?\*\/\}/g, '')
    .replaceAll(/`[^`]*`/g, '');
}

describe.each(pages)('$name', ({ source }) => {
  test('every measured number resolves', () => {
    for (const props of uses(source, 'Measured')) expect(() => measuredFigure(props)).not.toThrow();
  });

  test('every quotation names its source', () => {
    for (const { source: from } of uses(source, 'Quoted')) expect(from).toMatch(/\w/);
  });

  test('every term is in the glossary', () => {
    for (const { id } of uses(source, 'Term')) expect(Object.keys(glossary)).toContain(id);
  });

  test('no size is typed by hand', () => {
    expect(prose(source).match(/\b\d[\d.,]*\s?(?:[kKMGT]i?B|megabytes?|gigabytes?)\b/g) ?? []).toEqual([]);
  });
});

test('every term of the glossary is linked somewhere', () => {
  const linked = pages.flatMap(({ source }) => uses(source, 'Term').map(({ id }) => id));
  expect(Object.keys(glossary).filter((id) => !linked.includes(id))).toEqual([]);
});
