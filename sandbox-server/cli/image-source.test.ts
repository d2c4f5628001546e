import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imageSourceOf, isArchiveName } from './image-source.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-source-'));
  writeFileSync(join(folder, 'my-app'), 'archive');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it.each([
  ['my-app', false],
  ['my-app:latest', false],
  ['registry.example:5000/team/my-app', false],
  ['my-app.tar:1', false],
  ['.hidden', false],
  ['my-app.tar', true],
  ['out/my-app.tar', true],
  ['./my-app', true],
  ['../my-app', true],
  ['/tmp/my-app', true],
])('takes %s for an archive: %s', (image, archive) => {
  expect(isArchiveName(image)).toBe(archive);
});

it('reads the file that a path names, and says when there is none', async () => {
  const source = await imageSourceOf(join(folder, 'my-app'));
  expect(await text(await source.save('x'))).toBe('archive');
  await expect(imageSourceOf(join(folder, 'nope'))).rejects.toMatchObject({ code: 'bad_request' });
  await expect(imageSourceOf('no-such-archive.tar')).rejects.toMatchObject({ code: 'bad_request' });
});
