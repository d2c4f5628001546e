import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeTar } from '../../tests/helpers/archives.ts';
import { sign } from '../../tests/helpers/fuzz.ts';
import { overlay, packSubmission, readSubmissionFolder, readSubmissionTar } from './submission.ts';
import type { Submission } from './submission.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'submission-'));
});
afterEach(() => rm(dir, { recursive: true }));

const text = (files: Submission): Record<string, string> =>
  Object.fromEntries(
    [...files.values()].map((file) => [
      file.path,
      file.type === 'file' ? Buffer.from(file.content).toString() : file.type,
    ]),
  );

async function* bytes(buffer: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < buffer.byteLength; at += 700) yield await Promise.resolve(buffer.subarray(at, at + 700));
}
const tar = async (...entries: Parameters<typeof makeTar>[0][number][]): Promise<Readable> =>
  Readable.from(bytes(await makeTar(entries)));

it('reads a folder, without what git keeps', async () => {
  await mkdir(join(dir, 'cmd'));
  await mkdir(join(dir, '.git'));
  await writeFile(join(dir, 'Dockerfile'), 'FROM scratch');
  await writeFile(join(dir, 'cmd/main.go'), 'package main', { mode: 0o755 });
  await writeFile(join(dir, '.git/config'), 'x');
  await symlink('cmd/main.go', join(dir, 'main.go'));
  const files = await readSubmissionFolder(dir);
  expect(text(files)).toEqual({
    Dockerfile: 'FROM scratch',
    cmd: 'directory',
    'cmd/main.go': 'package main',
    'main.go': 'symlink',
  });
  expect(files.get('cmd/main.go')).toMatchObject({ executable: true });
});

it('reads a tar, and what it packs it reads again', async () => {
  const files = await readSubmissionTar(
    await tar(
      ['./', null],
      ['./Dockerfile', 'FROM scratch'],
      ['cmd/', null],
      ['cmd/a.go', 'x'.repeat(3000)],
      ['.git/config', 'x'],
    ),
  );
  expect(Object.keys(text(files))).toEqual(['Dockerfile', 'cmd', 'cmd/a.go']);
  expect(text(await readSubmissionTar(packSubmission(files)))).toEqual(text(files));
});

it('lays files over others', async () => {
  const base = await readSubmissionTar(await tar(['a', '1'], ['b', '2'], ['c', '3']));
  const over = await readSubmissionTar(await tar(['b', 'new']));
  expect(text(overlay(base, over, ['c']))).toEqual({ a: '1', b: 'new' });
});

it.each(['/etc/passwd', '../../etc'])('refuses a link to %s', async (target) => {
  await symlink(target, join(dir, 'link'));
  await expect(readSubmissionFolder(dir)).rejects.toMatchObject({ code: 'bad_path' });
  await expect(readSubmissionTar(await tar(['link', { type: 'symlink', linkname: target }]))).rejects.toMatchObject({
    code: 'bad_path',
  });
});

it('refuses links that lead out together, though each alone stays inside', async () => {
  const up = ['a/b/up', { type: 'symlink', linkname: '../..' }] as const;
  const out = ['out', { type: 'symlink', linkname: 'a/b/up/..' }] as const;
  await expect(readSubmissionTar(await tar(['a/b/', null], up))).resolves.toBeDefined();
  await expect(readSubmissionTar(await tar(['a/b/', null], up, out))).rejects.toMatchObject({ code: 'bad_path' });
});

it('refuses a file that lies in a link, and takes a link that leads round in a circle', async () => {
  const link = ['l', { type: 'symlink', linkname: 'd' }] as const;
  await expect(readSubmissionTar(await tar(['d/', null], link, ['l/x', '']))).rejects.toMatchObject({
    code: 'bad_path',
  });
  await expect(readSubmissionTar(await tar(['l', { type: 'symlink', linkname: 'l' }]))).resolves.toBeDefined();
});

it('reads a gzipped tar, and stops a bomb', async () => {
  const small = gzipSync(await makeTar([['Dockerfile', 'FROM scratch']]));
  expect(text(await readSubmissionTar(Readable.from(bytes(small))))).toEqual({ Dockerfile: 'FROM scratch' });
  const bomb = gzipSync(await makeTar([['zeros', Buffer.alloc(50 * 1024 ** 2)]]));
  expect(bomb.byteLength).toBeLessThan(100_000);
  await expect(readSubmissionTar(Readable.from(bytes(bomb)))).rejects.toMatchObject({ code: 'too_large' });
  await expect(readSubmissionTar(Readable.from(bytes(small.subarray(0, 40))))).rejects.toMatchObject({
    code: 'bad_request',
  });
});

it.each(['../x', '/etc/x', 'a/../../x'])('refuses the path %s', async (path) => {
  await expect(readSubmissionTar(await tar([path, 'x']))).rejects.toMatchObject({ code: 'bad_path' });
});

it.each([
  ['a file whose size is no number', Buffer.from(`\u00c1${'0'.repeat(10)} `, 'latin1'), '0'],
  ['a link whose size is no number', Buffer.from(`\u00c1${'0'.repeat(10)} `, 'latin1'), '2'],
  ['a file of a negative size', Buffer.from(`${'\u00ff'.repeat(11)}\0`, 'latin1'), '0'],
])('does not wait for the end of %s', async (_, size, type) => {
  const archive = await makeTar([['x', 'y']]);
  size.copy(archive, 124);
  archive.write(type, 156, 'latin1');
  sign(archive.subarray(0, 512));
  await expect(readSubmissionTar(Readable.from([archive]))).rejects.toMatchObject({ code: 'bad_request' });
});

it('does not wait for the end of a folder that claims a size', async () => {
  const archive = await makeTar([
    ['d/', null],
    ['d/x', 'y'],
  ]);
  archive.write('00000000777 ', 124, 'latin1');
  sign(archive.subarray(0, 512));
  expect(text(await readSubmissionTar(Readable.from([archive])))).toMatchObject({ 'd/x': 'y' });
});

it('shows no terminal the escape sequences in the names of what it refuses', async () => {
  const name = 'a\u001b]0;passed\u0007\u009b2J\u202Eb\rc';
  const device = pack();
  device.entry({ name, type: 'character-device' });
  device.finalize();
  const archives = [
    device,
    Readable.from([await makeTar([[name, { type: 'symlink', linkname: '/etc/passwd' }]])]),
    Readable.from([
      await makeTar([
        [name, { type: 'symlink', linkname: 'd' }],
        [`${name}/x`, ''],
      ]),
    ]),
  ];
  for (const archive of archives) {
    const error = await readSubmissionTar(Readable.from(archive, { objectMode: false })).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'bad_path', message: expect.stringMatching(/^[^\p{Cc}\u202E]+$/u) as string });
  }
});

it('refuses devices and hard links', async () => {
  await expect(readSubmissionTar(await tar(['x', { type: 'link', linkname: 'y' }]))).rejects.toMatchObject({
    code: 'bad_path',
  });
  const archive = pack();
  archive.entry({ name: 'dev', type: 'character-device' });
  archive.finalize();
  await expect(readSubmissionTar(Readable.from(archive))).rejects.toMatchObject({ code: 'bad_path' });
});

it('refuses what is too large, in bytes and in files, before it is read', async () => {
  const limits = { bytes: 1000, entries: 3 };
  await writeFile(join(dir, 'big'), 'x'.repeat(1001));
  await expect(readSubmissionFolder(dir, limits)).rejects.toMatchObject({ code: 'too_large' });
  await expect(readSubmissionTar(await tar(['big', 'x'.repeat(1001)]), limits)).rejects.toMatchObject({
    code: 'too_large',
  });
  await expect(readSubmissionTar(await tar(['a', ''], ['b', ''], ['c', ''], ['d', '']), limits)).rejects.toMatchObject({
    code: 'too_large',
  });
});

it('refuses what is no submission', async () => {
  await expect(readSubmissionFolder(join(dir, 'nope'))).rejects.toMatchObject({ code: 'bad_request' });
  await expect(readSubmissionTar(Readable.from([Buffer.alloc(2048, 'no tar')]))).rejects.toMatchObject({
    code: 'bad_request',
  });
  await expect(readSubmissionTar(Readable.from([Buffer.alloc(0)]))).rejects.toMatchObject({ code: 'bad_request' });
  const whole = await makeTar([['a', 'x'.repeat(2000)]]);
  await expect(readSubmissionTar(Readable.from([whole.subarray(0, 1000)]))).rejects.toMatchObject({
    code: 'bad_request',
  });
});
