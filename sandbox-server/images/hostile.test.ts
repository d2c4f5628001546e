import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { makeImage, makeTar } from '../../tests/helpers/archives.ts';
import { makeElf } from '../../tests/helpers/elf.ts';
import { BallastError } from '../protocol/index.ts';
import { createArchiveImageReader } from './archive-image-reader.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { ImageContents } from './image-reader.ts';
import { resolvePath } from './merged-view.ts';

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
  const sum = bytes.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
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
  expect(await codeOf(read(await makeImage({ layers: [layer] })))).toBe('image_unreadable');
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

it('random damage, many times over: a result or an error of ours', { timeout: 120_000 }, async () => {
  const good = await makeImage({
    layout: 'classic',
    layers: [
      await makeTar([
        ['etc/passwd', 'root:x:0:0::/root:/bin/sh\n'],
        ['greeter', makeElf({ needed: true, dynamicAt: 2048 })],
        ['var/lib/dpkg/status', 'Package: a\nVersion: 1\n'],
        ['link', { type: 'symlink', linkname: 'greeter' }],
      ]),
    ],
  });
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 40; round += 1) {
    const damaged = Buffer.from(good);
    const seed = randomBytes(64);
    for (let at = 0; at < 60; at += 3) damaged[seed.readUInt16LE(at) % damaged.byteLength] = seed[at + 2] ?? 0;
    const cut = round % 4 === 0 ? damaged.subarray(0, seed.readUInt16LE(60) % damaged.byteLength) : damaged;
    const code = await codeOf(read(cut, { timeoutMs: 10_000 }));
    outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    expect(['read', 'image_unreadable', 'too_large'], seed.toString('hex')).toContain(code);
  }
  expect(outcomes.get('image_unreadable') ?? 0).toBeGreaterThan(0);
});
