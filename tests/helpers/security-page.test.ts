import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../sandbox-server/cli/project.ts';

const folder = join(projectRoot, 'tests', 'security');

/** Titles of the tests of a file; those of `test.each` are the first words of its rows. */
function titlesOf(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  const direct = [...source.matchAll(/^ *(?:test|it)\(\s*(['"])(.*?)\1,/gms)].map((match) => match[2] ?? '');
  const rows = [...source.matchAll(/test\.each\(\[(.*?)\] as const\)/gs)].flatMap((table) =>
    [...(table[1] ?? '').matchAll(/^ *\[\s*'(.*?)',/gm)].map((match) => match[1] ?? ''),
  );
  return [...direct, ...rows];
}

/** First column of the table under a heading of SECURITY.md. */
function listedUnder(heading: string): string[] {
  const page = readFileSync(join(projectRoot, 'SECURITY.md'), 'utf8');
  const [, section = ''] = page.split(`## ${heading}\n`);
  const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]+?) +\|/gm)].map((match) => match[1] ?? '');
  return rows.filter((row) => row !== 'Attack' && row !== 'Attempt' && !/^-+$/.test(row)).sort();
}

test('SECURITY.md lists every attack that is tested, and no other', () => {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const tested = [...files, join(projectRoot, 'tests', 'e2e', 'hostile-names.spec.ts')].flatMap(titlesOf);
  expect(tested.length).toBeGreaterThan(30);
  expect(listedUnder('Attack by attack')).toEqual(tested.sort());
});

test('SECURITY.md lists every way of cheating that is tested, and no other', () => {
  const files = ['integration', 'labs'].map((suite) => join(projectRoot, 'tests', suite, 'cheating.test.ts'));
  const tested = files.flatMap(titlesOf);
  expect(tested.length).toBeGreaterThanOrEqual(10);
  expect(listedUnder('Cheating')).toEqual(tested.sort());
});
