import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSubmissions } from './open-submissions.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-submissions-'));
  for (const name of ['a', 'b/a', 'c\u001b[2J\u009b']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'd.tar.gz'), '');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const namesOf = async (...paths: readonly string[]): Promise<string[]> =>
  (await openSubmissions(paths)).map(({ name }) => name);

it('names folders, tars and standard input, as shortly as tells them apart', async () => {
  expect(await namesOf(join(folder, 'a'), join(folder, 'd.tar.gz'), '-')).toEqual(['a', 'd', 'standard input']);
  const [first = '', second = ''] = await namesOf(join(folder, 'a'), join(folder, 'b/a'));
  expect([first.endsWith('/a'), second.endsWith('/b/a')]).toEqual([true, true]);
});

it('takes a tar from standard input', async () => {
  const [submission] = await openSubmissions(['-']);
  expect(submission?.open()).toEqual({ tar: process.stdin });
});

it('keeps escape sequences out of names, which go into reports', async () => {
  expect(await namesOf(join(folder, 'c\u001b[2J\u009b'))).toEqual(['c']);
});

it('refuses what is not there, and what is named twice', async () => {
  await expect(openSubmissions([join(folder, 'nope')])).rejects.toMatchObject({ code: 'bad_request' });
  await expect(openSubmissions(['-', '-'])).rejects.toMatchObject({ message: 'A submission is named twice.' });
});
