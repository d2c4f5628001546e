import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { makeImage, makeTar } from '../../tests/helpers/archives.ts';
import type { MadeImage } from '../../tests/helpers/archives.ts';
import { makeElf, makeGoBuildInfo } from '../../tests/helpers/elf.ts';
import { createArchiveImageReader } from './archive-image-reader.ts';
import { defaultCaps } from './caps.ts';
import { executableClass, isSetuid } from './executables.ts';
import type { ImageReader, LayerEntry } from './image-reader.ts';
import { LayerCache } from './layer-cache.ts';
import { LayerKnowledge } from './layer-memory.ts';
import { NeedleSearch } from './needles.ts';

async function readerOf(image: MadeImage, pieceBytes = 997, knowledge = new LayerKnowledge()): Promise<ImageReader> {
  const archive = await makeImage(image);
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < archive.byteLength; at += pieceBytes) yield archive.subarray(at, at + pieceBytes);
  };
  return createArchiveImageReader(
    { resolve: () => Promise.resolve({ id: 'sha256:1' }), save: () => Promise.resolve(Readable.from(pieces())) },
    defaultCaps,
    knowledge,
  );
}

describe('packages', () => {
  it('are found in each layer, and merged as a container sees them', async () => {
    const dpkg = (names: string): string =>
      names
        .split(' ')
        .map((name) => `Package: ${name}\nStatus: install ok installed\nVersion: 1.0\nDescription: x\n more: y\n`)
        .join('\n');
    const go = Buffer.concat([
      makeElf({}),
      makeGoBuildInfo('go1.24.4', 'mod\texample.org/greeter\tv1.2.3\ndep\tgolang.org/x/text\tv0.14.0\n'),
    ]);
    const reader = await readerOf({
      layers: [
        await makeTar([
          ['var/lib/dpkg/status', `${dpkg('bash libc6')}\nPackage: gone\nStatus: deinstall ok config-files\n`],
          ['lib/apk/db/installed', 'C:Q1x\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3\n'],
        ]),
        await makeTar([
          ['var/lib/dpkg/status', dpkg('bash')],
          ['var/lib/dpkg/status.d/tzdata', 'Package: tzdata\nVersion: 2025b\n'],
          ['var/lib/dpkg/status.d/tzdata.md5sums', 'Package: no\n'],
          ['usr/lib/python3/site-packages/idna-3.7.dist-info/METADATA', 'Name: idna\nVersion: 3.7\n\nName: readme\n'],
          ['app/node_modules/@scope/a/package.json', '{"name":"@scope/a","version":"1.0.0"}'],
          ['app/node_modules/b/package.json', '{"name": "broken'],
          ['app/node_modules/c/lib/package.json', '{"name":"inner","version":"1"}'],
          ['greeter', go],
        ]),
      ],
    });
    const { packages, layers } = await reader.read('x');
    const named = (list: typeof packages): string[] =>
      list.map(({ system, name, version }) => `${system} ${name} ${version}`);
    expect(layers[0]?.packages).toHaveLength(4);
    expect(named(packages)).toEqual([
      'apk musl 1.2.5-r0',
      'apk zlib 1.3',
      'dpkg bash 1.0',
      'dpkg tzdata 2025b',
      'python idna 3.7',
      'npm @scope/a 1.0.0',
      'go stdlib 1.24.4',
      'go example.org/greeter v1.2.3',
      'go golang.org/x/text v0.14.0',
    ]);
  });
});

it('knows programs by what they are for', () => {
  const entry = (path: string, more: Partial<LayerEntry> = {}): LayerEntry => ({
    path,
    type: 'file',
    sizeBytes: 1,
    mode: 0o755,
    uid: 0,
    gid: 0,
    ...more,
  });
  expect(
    [
      'bin/dash',
      'usr/bin/apt-get',
      'usr/bin/x86_64-linux-gnu-gcc-14',
      'usr/bin/python3.13',
      'usr/bin/wget',
      'greeter',
    ].map((path) => executableClass(entry(path))),
  ).toEqual(['shell', 'package-manager', 'compiler', 'interpreter', 'network-tool', undefined]);
  for (const path of ['usr/local/go/bin/go', 'usr/bin/gfortran-14', 'usr/local/cargo/bin/cargo', 'usr/lib/gcc/cc1plus'])
    expect(executableClass(entry(path)), path).toBe('compiler');
  for (const path of ['app/hello-go', 'usr/bin/gofmt', 'usr/bin/cargo-watch', 'go.mod'])
    expect(executableClass(entry(path)), path).toBeUndefined();
  expect(executableClass(entry('etc/sh', { mode: 0o644 }))).toBeUndefined();
  expect(executableClass(entry('bin/sh', { type: 'symlink', mode: 0o777 }))).toBe('shell');
  expect(isSetuid(entry('bin/su', { mode: 0o4755 }))).toBe(true);
  expect(isSetuid(entry('bin/ls'))).toBe(false);
});

it('marks programs as static or dynamic, and other files not at all', async () => {
  const reader = await readerOf({
    layers: [
      await makeTar([
        ['s', makeElf({})],
        ['d', makeElf({ interpreter: '/lib/ld.so' })],
        ['script', '#!/bin/sh\n'],
      ]),
    ],
  });
  const { merged } = await reader.read('x');
  expect(['s', 'd', 'script'].map((path) => merged.get(path)?.entry.elf?.linkage)).toEqual([
    'static',
    'dynamic',
    undefined,
  ]);
});

it('counts what is there twice or deleted as wasted', async () => {
  const reader = await readerOf({
    layers: [
      await makeTar([
        ['twice', 'x'.repeat(100)],
        ['folder/gone', 'x'.repeat(50)],
        ['kept', 'x'.repeat(7)],
      ]),
      await makeTar([
        ['twice', 'x'.repeat(30)],
        ['.wh.folder', ''],
      ]),
    ],
  });
  expect((await reader.read('x')).wastedBytes).toBe(180);
});

it('counts a file that becomes a folder as wasted', async () => {
  const reader = await readerOf({
    layers: [
      await makeTar([['data', 'x'.repeat(100)]]),
      await makeTar([
        ['data/', null],
        ['data/new', 'x'.repeat(5)],
      ]),
    ],
  });
  expect((await reader.read('x')).wastedBytes).toBe(100);
});

it.each([
  ['fewer', [{ created_by: 'RUN a' }]],
  ['more', ['RUN a', 'RUN b', 'RUN c'].map((created_by) => ({ created_by }))],
])('does not guess which instruction made a layer where the history has %s steps', async (_, history) => {
  const layers = [await makeTar([['a', '1']]), await makeTar([['b', '2']])];
  const config = JSON.stringify({ rootfs: { diff_ids: ['sha256:1', 'sha256:2'] }, history });
  const { layers: read } = await (await readerOf({ layers, documents: { config } })).read('x');
  expect(read.map(({ createdBy }) => createdBy)).toEqual(['(not told by the history)', '(not told by the history)']);
});

it('gives health check, volumes and history', async () => {
  const reader = await readerOf({
    layers: [await makeTar([['a', '1']])],
    config: { Healthcheck: { Test: ['CMD', '/up'], Interval: 3e9 }, Volumes: { '/data': {} }, StopSignal: 'SIGINT' },
  });
  const { config, history } = await reader.read('x');
  expect(config).toMatchObject({
    healthcheck: { test: ['CMD', '/up'], intervalMs: 3000, timeoutMs: 0, retries: 0 },
    volumes: ['/data'],
    stopSignal: 'SIGINT',
  });
  expect(history).toEqual([
    { createdBy: 'ENV A=b', layer: false },
    { createdBy: 'STEP 0', layer: true },
  ]);
  const none = await readerOf({ layers: [], config: { Healthcheck: { Test: ['NONE'] } } });
  expect((await none.read('x')).config.healthcheck).toBeNull();
});

describe('the search for strings', () => {
  const secret = 'canary-2f9d';

  it('finds them in files, deleted ones too, in links, the config and the history', async () => {
    const reader = await readerOf({
      layers: [
        await makeTar([
          ['deep/.env', `TOKEN=${secret}\n`],
          ['kept', `${'x'.repeat(70_000)}${secret}`],
          ['link', { type: 'symlink', linkname: `/run/${secret}` }],
          ['clean', 'nothing'],
        ]),
        await makeTar([['deep/.wh..env', '']]),
      ],
      config: { Labels: { 'a"b': `x ${secret}` } },
    });
    const found = await reader.search('x', [secret, 'STEP 1', 'not there']);
    expect(found.map(({ where, index, path, hidden }) => [where, index, path, hidden])).toEqual([
      ['layer', 0, 'deep/.env', true],
      ['layer', 0, 'kept', false],
      ['layer', 0, 'link', false],
      ['config', 0, '', false],
      ['history', 2, 'STEP 1', false],
    ]);
    expect(await reader.search('x', [secret, 'STEP 1', 'not there'])).toEqual(found);
  });

  it('finds them in comments and authors of the history, and in names of what is deleted', async () => {
    const layers = [await makeTar([[`.wh.${secret}`, '']]), await makeTar([[`${secret}/.wh..wh..opq`, '']])];
    const config = JSON.stringify({
      rootfs: { diff_ids: ['sha256:1', 'sha256:2'] },
      history: [
        { created_by: 'ENV A=b', empty_layer: true, comment: `by ${secret}` },
        { created_by: 'RUN a', author: secret },
        { created_by: 'RUN b' },
      ],
    });
    const reader = await readerOf({ layers, documents: { config } });
    expect((await reader.search('x', [secret])).map(({ where, index, path }) => [where, index, path])).toEqual([
      ['layer', 0, `.wh.${secret}`],
      ['layer', 1, `${secret}/.wh..wh..opq`],
      ['history', 0, `by ${secret}`],
      ['history', 1, secret],
    ]);
  });

  it.each([1, 2, 5, 10, 100])('finds them across the borders of pieces of %i bytes', (size) => {
    const bytes = Buffer.from(`${'x'.repeat(37)}${secret}${'y'.repeat(9)}other`);
    const search = new NeedleSearch([Buffer.from('other'), Buffer.from(secret), Buffer.from('yx')]);
    for (let at = 0; at < bytes.byteLength; at += size) search.write(bytes.subarray(at, at + size));
    expect(search.found).toEqual([0, 1]);
  });
});

describe('layers that several images share', () => {
  it('are analysed once, by digest, also by readers of other sandboxes', async () => {
    const base = await makeTar([['base', makeElf({})]]);
    const knowledge = new LayerKnowledge();
    const first = await (await readerOf({ layers: [base] }, 997, knowledge)).read('x');
    const second = await (await readerOf({ layers: [base, await makeTar([['top', '1']])] }, 997, knowledge)).read('y');
    // The very same object: it was not read again.
    expect(second.layers[0]?.entries).toBe(first.layers[0]?.entries);
    expect(second.layers[1]?.entries).toHaveLength(1);
  });

  it('are refused when they are not what their digest says', async () => {
    const good = await makeTar([['a', '1']]);
    const archive = await makeImage({ layers: [good] });
    const at = archive.indexOf(good);
    archive.write('b', at + 512, 'latin1');
    const reader = createArchiveImageReader({
      resolve: () => Promise.resolve({ id: 'sha256:1' }),
      save: () => Promise.resolve(Readable.from([archive])),
    });
    await expect(reader.read('x')).rejects.toMatchObject({
      code: 'image_unreadable',
      message: expect.stringMatching(/name says/) as string,
    });
  });

  it('are forgotten, the oldest first, past the limit', () => {
    const cache = new LayerCache<number>((value) => value, 10);
    cache.set('a', 4);
    cache.set('b', 4);
    cache.set('a', 4);
    cache.set('c', 4);
    expect([...cache.snapshot().keys()]).toEqual(['a', 'c']);
    cache.set('huge', 11);
    expect([...cache.snapshot().keys()]).toEqual([]);
  });
});
