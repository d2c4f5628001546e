import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { CheckSchemas } from './lab-schema.ts';
import { loadLabs } from './load-labs.ts';

const kinds: CheckSchemas = new Map([
  ['image-size', { schema: z.strictObject({ image: z.string(), max: z.number() }) }],
  ['non-root', { schema: z.strictObject({ image: z.string() }) }],
]);

const good = `id: a-lab
title: A lab
lesson: a-lesson
summary: What it is about.
difficulty: beginner
minutes: 10
images: [golang:1.24]
limits:
  memory: 1 GiB
checks:
  - id: first
    title: First
    points: 10
    kind: non-root
    with:
      image: greeter
  - id: second
    title: Second
    points: 5
    kind: image-size
    needs: [first]
    with:
      image: greeter
      max: 5
`;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'labs-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function write(path: string, text: string): Promise<void> {
  const file = join(dir, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

async function load(text: string): ReturnType<typeof loadLabs> {
  await write('a-lab/lab.yaml', text);
  await write('a-lab/start/Dockerfile', 'FROM scratch\n');
  await write('a-lab/solution/Dockerfile', 'FROM scratch\n');
  return loadLabs(dir, kinds);
}

it('loads a lab with its folders, wrong cases and defaults', async () => {
  await write('a-lab/wrong/oops/case.yaml', 'title: Oops\ncaughtBy: [second]\n');
  await write('not-a-lab/notes.md', 'nothing');
  const labs = await load(good);
  expect([...labs.keys()]).toEqual(['a-lab']);
  const lab = labs.get('a-lab');
  expect(lab).toMatchObject({ network: 'none', terminals: 4, limits: { memory: 1024 ** 3 } });
  expect(lab?.startDir).toBe(join(dir, 'a-lab/start'));
  expect(lab?.checks[0]?.needs).toEqual([]);
  expect(lab?.wrongCases).toMatchObject([{ name: 'oops', caughtBy: ['second'], remove: [] }]);
});

describe('a mistake is told with file, line and column:', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'a typo in a key',
      'points: 10',
      'pionts: 10',
      /a-lab\/lab\.yaml:13:5: checks\[0\]: unknown key "pionts": did you mean "points"\?/,
    ],
    [
      'a typo in a key of with',
      'max: 5',
      'mx: 5',
      /lab\.yaml:24:7: checks\[1\]\.with: unknown key "mx": did you mean "max"\?/,
    ],
    [
      'an unknown key that is like no other',
      'title: A lab',
      'title: A lab\nwhatever: 1',
      /lab\.yaml:3:1: unknown key "whatever"; known are id, title/,
    ],
    ['a missing key', 'minutes: 10\n', '', /lab\.yaml:1:1: "minutes" is missing/],
    ['a missing key of a check', '    kind: non-root\n', '', /lab\.yaml:11:5: checks\[0\]: "kind" is missing/],
    ['a value of another type', 'minutes: 10', 'minutes: soon', /lab\.yaml:6:10: minutes: /],
    [
      'a value that is none of the known',
      'difficulty: beginner',
      'difficulty: easy',
      /lab\.yaml:5:13: difficulty: .*"beginner"/,
    ],
    [
      'a size without a unit',
      'memory: 1 GiB',
      'memory: big',
      /lab\.yaml:9:11: limits\.memory: write a size as "20 MB"/,
    ],
    [
      'an unknown kind',
      'kind: non-root',
      'kind: nonroot',
      /lab\.yaml:14:11: checks\[0\]\.kind: there is no kind of check "nonroot": did you mean "non-root"\?/,
    ],
    [
      'an unknown need',
      'needs: [first]',
      'needs: [frist]',
      /lab\.yaml:21:13: checks\[1\]\.needs\[0\]: there is no check "frist": did you mean "first"\?/,
    ],
    ['an id that is used twice', 'id: second', 'id: first', /lab\.yaml:17:9: checks\[1\]\.id: "first" is already/],
    [
      'an id other than the folder',
      'id: a-lab',
      'id: another',
      /lab\.yaml:1:5: id: must be the folder's name, "a-lab"/,
    ],
    ['broken YAML', 'images: [golang:1.24]', 'images: [golang:1.24', /lab\.yaml:\d+:\d+: /],
    ['a key that occurs twice', 'minutes: 10', 'minutes: 10\nminutes: 11', /lab\.yaml:7:1: Map keys must be unique/],
  ])('%s', async (_, from, to, message) => {
    await expect(load(good.replace(from, to))).rejects.toMatchObject({
      code: 'lab_invalid',
      message: expect.stringMatching(message) as string,
    });
  });

  it('checks that wait for each other', async () => {
    const text = good.replace('kind: non-root', 'kind: non-root\n    needs: [second]');
    await expect(load(text)).rejects.toThrow(/"first" would have to wait for itself/);
  });

  it('an empty file', async () => {
    await expect(load('')).rejects.toThrow(/lab\.yaml:1:1: /);
  });

  it('all of them at once, in wrong cases too', async () => {
    await write('a-lab/wrong/oops/case.yaml', 'title: Oops\ncaughtBy: [nothing]\n');
    const text = good.replace('kind: non-root', 'kind: nope').replace('max: 5', 'max: x');
    await expect(load(text)).rejects.toThrow(
      /nope.*\n.*with\.max.*\n.*oops\/case\.yaml:2:12: caughtBy\[0\]: there is no check "nothing"/,
    );
  });

  it('a missing folder', async () => {
    await write('a-lab/lab.yaml', good);
    await write('a-lab/start/Dockerfile', '');
    await expect(loadLabs(dir, kinds)).rejects.toThrow(/the folder solution\/ is missing/);
  });
});
