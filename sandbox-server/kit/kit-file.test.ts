import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { bringDependencies } from '../../bin/kit-dependencies.mjs';
import { encodeHeader, readKit, verifyKit } from '../../bin/kit-file.mjs';
import { installedFor } from '../../bin/with-deps.mjs';
import { hex, makeKit } from '../../tests/helpers/kits.ts';
import { openKit } from './kit-manifest.ts';
import { KitWriter } from './kit-writer.ts';
import { unpackPart } from './part-streams.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-kit-'));
const file = join(folder, 'a.kit');
const other = join(folder, 'other.kit');
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeEach(() => makeKit(file, { 'site.tar.zst': Buffer.alloc(3_000_000, 'site') }));

const verified = async (path: string): Promise<string> => verifyKit(await readKit(path));

describe('a kit', () => {
  it('is a tar that any tar lists, with sums that any sha256sum checks', async () => {
    const listed = await promisify(execFile)('tar', ['-tf', file]);
    expect(listed.stdout.trim().split('\n')).toEqual([
      'ballast-kit',
      'node_modules.tar.gz',
      'sandbox-image.tar.zst',
      'base-images.tar.zst',
      'site.tar.zst',
      'kit.json',
      'kit.json.sha256',
    ]);
    const sum = await promisify(execFile)('sha256sum', [file]);
    expect(sum.stdout).toContain(await verified(file));
  });

  it('is refused when a byte of it is another, wherever', async () => {
    const good = readFileSync(file);
    // In each block: of a header its name, size, sum and end; of a part some bytes; of padding some zeros.
    const inBlock = [0, 99, 130, 150, 511];
    const places = Array.from({ length: good.length / 512 }, (_, block) =>
      inBlock.map((at) => block * 512 + at),
    ).flat();
    for (const at of places) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 4;
      writeFileSync(other, bad);
      await expect(verified(other), `byte ${String(at)}`).rejects.toMatchObject({
        code: expect.stringMatching(/^kit_(invalid|damaged|mismatch)$/) as string,
        hint: expect.any(String) as string,
      });
    }
  });

  it('is refused when it is cut off anywhere, and when something follows', async () => {
    const good = readFileSync(file);
    for (let length = 0; length < good.length; length += 100) {
      writeFileSync(other, good.subarray(0, length));
      await expect(verified(other), `${String(length)} bytes`).rejects.toMatchObject({
        code: length < 512 ? (expect.stringMatching(/^kit_(invalid|damaged)$/) as string) : 'kit_damaged',
      });
    }
    writeFileSync(other, Buffer.concat([good, Buffer.alloc(512)]));
    await expect(verified(other)).rejects.toMatchObject({ code: 'kit_damaged' });
  });

  it('is told from other files', async () => {
    writeFileSync(other, 'PK\u0003\u0004 something else'.repeat(1000));
    await expect(openKit(other)).rejects.toMatchObject({
      code: 'kit_invalid',
      message: expect.stringContaining('is not a kit') as string,
    });
    await expect(openKit(folder)).rejects.toMatchObject({ code: 'kit_invalid' });
    await expect(openKit(join(folder, 'none'))).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('of another format, or that says of itself what we do not know, is of another version', async () => {
    const bytes = readFileSync(file);
    bytes.write('2\n', 512);
    writeFileSync(other, bytes);
    await expect(openKit(other)).rejects.toMatchObject({
      code: 'kit_mismatch',
      message: expect.stringContaining('format 2') as string,
    });
    await makeKit(other, {}, { site: 'none' });
    await expect(openKit(other)).rejects.toMatchObject({ code: 'kit_mismatch' });
  });

  it('gets its name only when it is whole, and the one before stays until then', async () => {
    const before = readFileSync(file);
    const half = async (): Promise<void> => {
      await using writer = await KitWriter.create(file);
      await writer.addPart('site.tar.zst', Readable.from([Buffer.from('x')]));
      throw new Error('cut off');
    };
    await expect(half()).rejects.toThrow('cut off');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(existsSync(`${file}.partial`)).toBe(false);
  });

  it('has a size of any length in a header', () => {
    for (const size of [0, 8 * 1024 ** 3 - 1, 8 * 1024 ** 3, 5e12]) expect(encodeHeader('x', size)).toHaveLength(512);
  });
});

describe('a part', () => {
  it('comes out as it went in', async () => {
    const kit = await openKit(file);
    const bytes = Buffer.concat((await unpackPart(kit, 'site.tar.zst').toArray()) as Buffer[]);
    expect(bytes.equals(Buffer.alloc(3_000_000, 'site'))).toBe(true);
  });

  it('does not unpack to more, or less, than the kit says, nor when it has changed since', async () => {
    const kit = await openKit(file);
    const saying = (change: object): typeof kit => ({
      ...kit,
      manifest: { ...kit.manifest, parts: kit.manifest.parts.map((part) => ({ ...part, ...change })) },
    });
    const read = (which: typeof kit): Promise<unknown> => unpackPart(which, 'site.tar.zst').toArray();
    await expect(read(saying({ unpackedBytes: 2_999_999 }))).rejects.toMatchObject({ code: 'kit_damaged' });
    await expect(read(saying({ unpackedBytes: 3_000_001 }))).rejects.toMatchObject({ code: 'kit_damaged' });
    await expect(read(saying({ sha256: hex('other') }))).rejects.toMatchObject({ code: 'kit_damaged' });
  });
});

describe('bringDependencies', () => {
  const modules = join(folder, 'node_modules');
  const bring = (wanted = installedFor()): Promise<void> => bringDependencies(file, { modules, wanted });

  it('refuses a kit for another machine or another lock file, and says which', async () => {
    const mine = installedFor();
    await expect(bring({ ...mine, digest: hex('other lock') })).rejects.toMatchObject({
      code: 'kit_mismatch',
      message: expect.stringContaining('package-lock.json differs') as string,
    });
    await expect(bring({ machine: 'plan9 mips', digest: hex('x') })).rejects.toMatchObject({
      code: 'kit_mismatch',
      message: expect.stringContaining('this one is plan9 mips') as string,
    });
  });

  it('leaves nothing where the dependencies cannot be unpacked, or their Node does not run', async () => {
    await expect(bring()).rejects.toMatchObject({ code: 'setup_failed' });
    const tar = await promisify(execFile)('tar', ['-c', '-C', folder, 'a.kit'], { encoding: 'buffer', maxBuffer: 1e7 });
    await makeKit(file, { 'node_modules.tar.gz': tar.stdout });
    await expect(bring()).rejects.toMatchObject({ code: 'kit_mismatch' });
    expect((await readdir(folder)).filter((name) => name.startsWith('node_modules'))).toEqual([]);
  });
});
