import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTar } from '../../tests/helpers/archives.ts';
import { inspectImageArchive } from './image-part.ts';
import { insidePath, inspectSite, packSite, unpackSite } from './site-part.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-site-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const streamOf = (bytes: Buffer): Readable => Readable.from([bytes]);

describe('the site of a kit', () => {
  const siteAt = (name: string) => ({
    siteDir: join(folder, name),
    stamp: join(folder, '.astro', name),
    digest: 'the digest',
    current: false,
  });

  it('comes out as it went in, in place of what is there', async () => {
    const tar = await makeTar([
      ['index.html', 'page'],
      ['a/b/c.js', 'code'],
    ]);
    await unpackSite(streamOf(tar), siteAt('first'));
    await unpackSite(streamOf(await makeTar([['old.html', 'old']])), siteAt('second'));
    await unpackSite(packSite(join(folder, 'first')), siteAt('second'));
    expect(readFileSync(join(folder, 'second/a/b/c.js'), 'utf8')).toBe('code');
    expect(existsSync(join(folder, 'second/old.html'))).toBe(false);
    expect(readFileSync(join(folder, '.astro/second'), 'utf8')).toBe('the digest');
  });

  it.each(['../out', '/etc/out', 'a/../../out', 'a\\..\\out', 'c:out', 'a//b', './a', 'a/.', 'a\u0000b', ''])(
    'may not write to "%s"',
    async (path) => {
      expect(insidePath(path)).toBeNull();
      if (path === '' || path.includes('\0')) return;
      const tar = await makeTar([
        ['index.html', 'page'],
        [path, 'x'],
      ]);
      await expect(inspectSite(streamOf(tar))).rejects.toMatchObject({ code: 'kit_damaged' });
      await expect(unpackSite(streamOf(tar), siteAt('site'))).rejects.toMatchObject({ code: 'kit_damaged' });
      expect(existsSync(join(folder, 'site'))).toBe(false);
    },
  );

  it.each(['symlink', 'link'] as const)('may not have a %s', async (type) => {
    const tar = await makeTar([
      ['a', { type, linkname: '/etc' }],
      ['a/b', 'x'],
    ]);
    await expect(inspectSite(streamOf(tar))).rejects.toMatchObject({ code: 'kit_damaged' });
    await expect(unpackSite(streamOf(tar), siteAt('site'))).rejects.toMatchObject({ code: 'kit_damaged' });
  });

  it('may not write a file twice', async () => {
    const tar = await makeTar([
      ['a', 'x'],
      ['a', 'y'],
    ]);
    await expect(unpackSite(streamOf(tar), siteAt('site'))).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

describe('the sandbox image of a kit', () => {
  const ref = 'ballast/sandbox:1';
  const manifest = (...tags: string[]): [string, string] => ['manifest.json', JSON.stringify([{ RepoTags: tags }])];
  const inspect = async (...entries: [string, string][]): Promise<void> =>
    inspectImageArchive(streamOf(await makeTar([['layer.tar', 'x'], ...entries])), ref);

  it('is one image under its own name', async () => {
    await inspect(manifest(ref), ['repositories', JSON.stringify({ 'ballast/sandbox': { '1': 'id' } })]);
    const annotations = { 'io.containerd.image.name': `docker.io/${ref}` };
    await inspect(manifest(ref), ['index.json', JSON.stringify({ manifests: [{ annotations }] })]);
  });

  it.each<[string, [string, string][]]>([
    ['no manifest', []],
    ['another name', [manifest('debian:trixie-slim')]],
    ['a name more', [manifest(ref, 'debian:trixie-slim')]],
    ['no name', [manifest()]],
    ['an image more', [['manifest.json', JSON.stringify([{ RepoTags: [ref] }, { RepoTags: null }])]]],
    ['a second manifest', [manifest(ref), ['./manifest.json', JSON.stringify([{ RepoTags: ['debian:x'] }])]]],
    ['names in the old list', [manifest(ref), ['repositories', JSON.stringify({ debian: { x: 'id' } })]]],
    [
      'names in the new list',
      [
        manifest(ref),
        [
          'index.json',
          JSON.stringify({
            manifests: [{ annotations: { 'io.containerd.image.name': 'docker.io/library/debian:x' } }],
          }),
        ],
      ],
    ],
    ['a manifest that is none', [['manifest.json', '{']]],
  ])('is refused with %s', async (_what, entries) => {
    await expect(inspect(...entries)).rejects.toMatchObject({ code: 'kit_damaged' });
  });
});
