import { randomInt } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { makeImage, makeTar } from '../../tests/helpers/archives.ts';
import type { MadeImage } from '../../tests/helpers/archives.ts';
import { makeElf, makeGoBuildInfo } from '../../tests/helpers/elf.ts';
import { chanceOf, damage, damageHeaders, damageJson, sign } from '../../tests/helpers/fuzz.ts';
import type { Chance } from '../../tests/helpers/fuzz.ts';
import { BallastError } from '../protocol/index.ts';
import { createArchiveImageReader } from './archive-image-reader.ts';
import { readArchive } from './archive.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { ImageContents } from './image-reader.ts';
import { readLayout } from './layout.ts';
import { mergedText, mergeLayers, resolvePath } from './merged-view.ts';
import { wastedBytes } from './wasted-bytes.ts';

// Archives that are made to hurt. Each ends in a result or in an error of ours, never in a dead or stuck server.

const read = (archive: Buffer, caps: Partial<ImageCaps> = {}): Promise<ImageContents> =>
  createArchiveImageReader(
    { resolve: () => Promise.resolve({ id: 'sha256:1' }), save: () => Promise.resolve(Readable.from([archive])) },
    { ...defaultCaps, ...caps },
  ).read('x');

const codeOf = async (reading: Promise<unknown>): Promise<string> => {
  try {
    await reading;
    return 'read';
  } catch (error) {
    if (error instanceof BallastError) return error.code;
    throw error;
  }
};

/** The header of a tar entry, by hand: it may say anything. */
function header(name: string, size: number, type: string): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(name, 0, 'latin1');
  bytes.write('0000644\0' + '0000000\0'.repeat(2), 100, 'latin1');
  bytes.write(`${size.toString(8).padStart(11, '0')} `, 124, 'latin1');
  bytes.write(`00000000000 `, 136, 'latin1');
  bytes.write(type, 156, 'latin1');
  bytes.write('ustar\u{0}00', 257, 'latin1');
  sign(bytes);
  return bytes;
}

it('an extended header of 64 MiB', async () => {
  const size = 64 * 1024 ** 2;
  const archive = Buffer.concat([
    header('pax', size, 'x'),
    Buffer.alloc(size, 0x41),
    header('a', 0, '0'),
    Buffer.alloc(1024),
  ]);
  expect(await codeOf(read(await makeImage({ layers: [archive] })))).toMatch(/^(too_large|image_unreadable)$/);
});

it('an extended header that claims sizes, paths and links that are not so', async () => {
  const record = (text: string): string => `${String(text.length + 4)} ${text}\n`;
  const pax = Buffer.from([record('size=99999999999'), record('path=../../../etc/passwd')].join(''));
  const padded = Buffer.concat([pax, Buffer.alloc(512 - pax.byteLength)]);
  const layer = Buffer.concat([header('pax', pax.byteLength, 'x'), padded, header('a', 5, '0'), Buffer.alloc(2048)]);
  expect(await codeOf(read(await makeImage({ layers: [layer] })))).toBe('too_large');
});

it('entries whose size is no number, and folders that claim one', async () => {
  const sized = (size: string, type: string): Buffer => {
    const bytes = header('a', 0, type);
    bytes.write(size, 124, 'latin1');
    sign(bytes);
    return Buffer.concat([bytes, header('b', 0, '0'), Buffer.alloc(1024)]);
  };
  for (const type of ['0', '1', '2', '3', '7', 'S']) {
    for (const size of [`\u00c1${'0'.repeat(10)} `, `${'\u00ff'.repeat(11)}\0`, 'zzzzzzzzzzz ']) {
      expect(await codeOf(readHere(await makeImage({ layers: [sized(size, type)] })))).toBe('image_unreadable');
    }
  }
  expect(await codeOf(readHere(await makeImage({ layers: [sized('00000000777 ', '5')] })))).toBe('read');
});

it('links that go round in circles, lead out, and hang in the air', async () => {
  const layer = await makeTar([
    ['a', { type: 'symlink', linkname: 'b' }],
    ['b', { type: 'symlink', linkname: '/a' }],
    ['self', { type: 'symlink', linkname: 'self/self' }],
    ['out', { type: 'symlink', linkname: '../../../../etc/shadow' }],
    ['etc/passwd', { type: 'symlink', linkname: '../a' }],
    ['hard', { type: 'link', linkname: '../../nowhere' }],
  ]);
  const { merged, text } = await read(await makeImage({ layers: [layer] }));
  for (const path of ['a', 'self', 'out', 'etc/passwd']) expect(resolvePath(merged, path)).toBeUndefined();
  expect(text.size).toBe(0);
});

it('links among the blobs of the archive that go round in circles', async () => {
  const archive = await makeTar([
    ['one', { type: 'symlink', linkname: 'two' }],
    ['two', { type: 'symlink', linkname: 'one' }],
    ['c.json', JSON.stringify({ rootfs: { diff_ids: ['sha256:1'] } })],
    ['manifest.json', JSON.stringify([{ Config: 'c.json', Layers: ['one'] }])],
  ]);
  expect(await codeOf(read(archive))).toBe('image_unreadable');
});

it('a bomb inside of a bomb: the layer is small, what it unpacks to is not', async () => {
  const bomb = gzipSync(gzipSync(await makeTar([['zeros', Buffer.alloc(64 * 1024 ** 2)]])));
  expect(await codeOf(read(await makeImage({ layers: [bomb] })))).toBe('image_unreadable');
  const flat = gzipSync(await makeTar([['zeros', Buffer.alloc(64 * 1024 ** 2)]]));
  expect(await codeOf(read(await makeImage({ layers: [flat] })))).toBe('too_large');
});

it('a hundred thousand files', { timeout: 60_000 }, async () => {
  const headers = Array.from({ length: 100_000 }, (_, index) =>
    header(`d${String(index % 100)}/f${String(index)}`, 0, '0'),
  );
  const layer = Buffer.concat([...headers, Buffer.alloc(1024)]);
  const { layers, merged } = await read(await makeImage({ layers: [layer] }));
  expect(layers[0]?.entries).toHaveLength(100_000);
  expect(merged.size).toBe(100_000);
  expect(await codeOf(read(await makeImage({ layers: [layer] }), { entries: 99_999 }))).toBe('too_large');
});

it('documents nested so deep that reading them might exhaust the stack', async () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  const config = `{"rootfs":{"diff_ids":[]},"x":${deep}}`;
  expect(await codeOf(read(await makeImage({ layers: [], layout: 'classic', documents: { config } })))).toMatch(
    /^(read|image_unreadable)$/,
  );
});

it('lists of packages without an end', async () => {
  const many = Array.from({ length: 2000 }, (_, index) => `Package: p${String(index)}\n`).join('\n');
  const layer = await makeTar([['var/lib/dpkg/status', many]]);
  expect((await read(await makeImage({ layers: [layer] }))).packages).toHaveLength(2000);
  expect(await codeOf(read(await makeImage({ layers: [layer] }), { packages: 1999 }))).toBe('too_large');
});

/** A name of 127 letters, each in the folder before it, of which no other entry has the same. */
function deepName(index: number): { readonly name: string; readonly prefix: string } {
  const letters = index.toString(36).padStart(5, '0').split('').join('/');
  const rest = '/x'.repeat(73);
  return { prefix: `${letters}${rest}`.slice(0, 155).replace(/\/$/, ''), name: 'y/'.repeat(49).slice(0, -1) };
}

it('tens of thousands of files, each in folders of its own that nothing names', { timeout: 60_000 }, async () => {
  const layerOf = (count: number): Buffer => {
    const headers = Array.from({ length: count }, (_, index) => {
      const { name, prefix } = deepName(index);
      const bytes = header(name, 0, '0');
      bytes.write(prefix, 345, 'latin1');
      sign(bytes);
      return bytes;
    });
    return Buffer.concat([...headers, Buffer.alloc(1024)]);
  };
  const { merged } = await read(await makeImage({ layers: [layerOf(31_000)] }));
  expect(merged.size).toBe(31_000);
  expect([...merged.keys()][1]?.split('/').length).toBeGreaterThan(125);
  await expect(read(await makeImage({ layers: [layerOf(33_000)] }))).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringContaining('too many folders') as string,
    hint: expect.stringContaining('smaller') as string,
  });
});

it('a layer of nothing but deletions, named over and over', { timeout: 30_000 }, async () => {
  const names = Array.from({ length: 2000 }, (_, index) => [`d/.wh.f${String(index)}`, ''] as const);
  const layer = await makeTar(names);
  expect(await codeOf(read(await makeImage({ layers: Array.from({ length: 190 }, () => layer) })))).toBe('read');
  expect(await codeOf(read(await makeImage({ layers: Array.from({ length: 210 }, () => layer) })))).toBe('too_large');
});

it('texts that are kept: one that is huge, and many that together are', { timeout: 60_000 }, async () => {
  const text = Buffer.alloc(4 * 1024 ** 2, 'x');
  const passwd = await Promise.all(
    Array.from({ length: 9 }, async (_, index) =>
      makeTar([['etc/passwd', Buffer.concat([text.subarray(4), Buffer.from(`00${String(index)}\n`)])]]),
    ),
  );
  expect(await codeOf(read(await makeImage({ layers: passwd.slice(0, 7) })))).toBe('read');
  expect(await codeOf(read(await makeImage({ layers: passwd })))).toBe('too_large');
  const huge = await makeTar([['etc/passwd', Buffer.concat([text, Buffer.from('\n')])]]);
  await expect(read(await makeImage({ layers: [huge] }))).rejects.toMatchObject({
    code: 'too_large',
    message: 'This image is too large to look into: /etc/passwd is larger than 4 MiB.',
  });
});

it('documents that are huge together', { timeout: 60_000 }, async () => {
  const document = `{"x":"${'x'.repeat(4 * 1024 ** 2 - 20)}"}`;
  const many = Array.from({ length: 9 }, (_, index) => [`${String(index)}.json`, document] as const);
  expect(await codeOf(read(await makeTar(many)))).toBe('too_large');
});

// Damage by chance. A failure prints its seed; BALLAST_FUZZ_SEED=… brings it back, as the first of its rounds.

const firstSeed = Number(process.env['BALLAST_FUZZ_SEED'] ?? randomInt(2 ** 31));
const json = (value: unknown): string => JSON.stringify(value);
const files: readonly (readonly [string, Buffer])[] = [
  ['etc/passwd', Buffer.from('root:x:0:0::/root:/bin/sh\nnonroot:x:65532:65532::/home:/sbin/nologin\n')],
  ['etc/os-release', Buffer.from('ID=debian\nVERSION_CODENAME=trixie\n')],
  ['greeter', makeElf({ needed: true, dynamicAt: 2048 })],
  ['bin/sh', makeElf({ interpreter: '/lib/ld.so', littleEndian: false, dynamicAt: 1024 })],
  [
    'bin/go-program',
    Buffer.concat([
      makeElf({ dynamicAt: 1024 }),
      Buffer.alloc(16),
      makeGoBuildInfo('go1.24.4', 'mod\tx\tv1\ndep\ty\tv2\n'),
    ]),
  ],
  [
    'var/lib/dpkg/status',
    Buffer.from('Package: a\nStatus: install ok installed\nSource: b (1)\nVersion: 1+b1\n\nPackage: c\nVersion: 2\n'),
  ],
  ['lib/apk/db/installed', Buffer.from('P:musl\nV:1.2.5-r0\n\nP:zlib\nV:1.3\n')],
  ['app/node_modules/a/package.json', Buffer.from(json({ name: 'a', version: '1.0.0', files: ['x'] }))],
  ['usr/lib/python3/a-1.dist-info/METADATA', Buffer.from('Name: a\nVersion: 1\n\ntext\n')],
];
const links = [
  ['link', { type: 'symlink', linkname: 'bin/sh' }],
  ['hard', { type: 'link', linkname: 'greeter' }],
  ['gone/.wh.file', ''],
  ['gone/.wh..wh..opq', ''],
] as const;
const imageConfig = {
  User: '1',
  Entrypoint: ['/greeter'],
  Env: ['A=b'],
  ExposedPorts: { '80/tcp': {} },
  Labels: { a: 'b' },
  Healthcheck: { Test: ['CMD', 'x'], Interval: 1e9 },
};
const documentsOf = (layers: readonly string[]): { readonly config: string; readonly manifest: string } => ({
  config: json({
    architecture: 'amd64',
    os: 'linux',
    config: imageConfig,
    rootfs: { type: 'layers', diff_ids: layers.map(() => 'sha256:1') },
    history: [
      { created_by: 'ENV', empty_layer: true, comment: 'x' },
      ...layers.map(() => ({ created_by: 'RUN x', author: 'y' })),
    ],
  }),
  manifest: json([{ Config: 'config.json', RepoTags: ['greeter:latest'], Layers: layers }]),
});

/** What may be damaged of an image, and is: everything around it is as it should be. */
const damages: Readonly<Record<string, (chance: Chance) => Promise<Buffer>>> = {
  'the bytes of an archive': async (chance) => {
    const layers = [await makeTar([...files, ...links])];
    return damage(
      await makeImage({ layers, layout: chance.pick(['oci', 'classic']), gzip: chance.number(2) === 0 }),
      chance,
    );
  },
  'headers of the archive, with checksums that are right': async (chance) => {
    const layers = [await makeTar(files), await makeTar([...links])];
    return damageHeaders(await makeImage({ layers, layout: chance.pick(['oci', 'classic']) }), chance);
  },
  'headers in a layer, with checksums that are right': async (chance) => {
    const long = `${'long/'.repeat(40)}\u00e9`;
    const layer = damageHeaders(await makeTar([...files, ...links, [long, 'of an extended header']]), chance);
    return makeImage({ layers: [layer], layout: chance.pick(['oci', 'classic']) });
  },
  'programs and lists of packages in a layer': async (chance) => {
    const damaged = files.map(
      ([name, bytes]) => [name, chance.number(3) === 0 ? damage(bytes, chance) : bytes] as const,
    );
    return makeImage({ layers: [await makeTar([...damaged, ...links])] });
  },
  'compressed layers': async (chance) => {
    const compress = chance.pick<NonNullable<(bytes: Buffer) => Buffer>>([gzipSync, zstdCompressSync]);
    const image: MadeImage = { layers: [damage(compress(await makeTar([...files, ...links])), chance)] };
    return makeImage({ ...image, layout: chance.pick(['oci', 'classic']) });
  },
  documents: async (chance) => {
    const { config, manifest } = documentsOf(['0/layer.tar']);
    const documents = chance.pick([
      { config: damageJson(config, chance), manifest },
      { config, manifest: damageJson(manifest, chance) },
      { config: damage(Buffer.from(config), chance).toString('latin1'), manifest },
    ]);
    return makeImage({ layers: [await makeTar([...files])], layout: 'classic', documents });
  },
};

/** All that is done with an archive, in this thread: an error of another kind is not turned into one of ours on the way. */
async function readHere(archive: Buffer): Promise<void> {
  const {
    documents,
    layers,
    links: linked,
  } = await readArchive(Readable.from([archive]), defaultCaps, new Set(), ['nonroot']);
  const parsed = readLayout(documents).layers.map(({ name }) => layers.get(linked.get(name) ?? name));
  const found = parsed.flatMap((layer) => layer ?? []);
  const merged = mergeLayers(found);
  for (const path of merged.keys()) resolvePath(merged, path);
  mergedText(found, merged, 'etc/passwd');
  wastedBytes(found, merged);
}

it.each(Object.keys(damages))('damage by chance to %s', { timeout: 120_000 }, async (what) => {
  const outcomes = new Map<string, number>();
  for (let seed = firstSeed; seed < firstSeed + 250; seed += 1) {
    const archive = await damages[what]?.(chanceOf(seed));
    const code = await codeOf(readHere(archive ?? Buffer.alloc(0))).catch((error: unknown) => {
      throw new Error(`BALLAST_FUZZ_SEED=${String(seed)}`, { cause: error });
    });
    outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
  }
  // Both come about, or the damage would be too little, or nothing but noise.
  const all = [...outcomes].map(([code, count]) => `${code} ${String(count)}`).join(', ');
  expect(outcomes.get('read') ?? 0, all).toBeGreaterThan(0);
  if (!what.startsWith('programs')) expect(outcomes.get('image_unreadable') ?? 0, all).toBeGreaterThan(0);
});

it('damage by chance, in the thread that reads for the server', { timeout: 120_000 }, async () => {
  for (let seed = firstSeed; seed < firstSeed + 5; seed += 1) {
    for (const [what, make] of Object.entries(damages)) {
      const code = await codeOf(read(await make(chanceOf(seed)), { timeoutMs: 20_000 })).catch((error: unknown) => {
        throw new Error(`${what}: BALLAST_FUZZ_SEED=${String(seed)}`, { cause: error });
      });
      expect(['read', 'image_unreadable', 'too_large'], `${what}: BALLAST_FUZZ_SEED=${String(seed)}`).toContain(code);
    }
  }
});
