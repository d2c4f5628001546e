import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeElf, makeGoBuildInfo } from '../../tests/helpers/elf.ts';
import { elfHeadBytes, isElf, parseElfHeader, readElf } from './elf.ts';
import type { Bytes } from './untar.ts';

// eslint-disable-next-line @typescript-eslint/require-await -- a stream is asynchronous, whatever it is made of.
async function* pieces(bytes: Buffer, size: number): Bytes {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

const facts = (bytes: Buffer, size = 1000) => readElf(bytes.subarray(0, elfHeadBytes), pieces(bytes, size));

describe('the linkage of a program', () => {
  it.each([
    ['no loader and no library', {}, { linkage: 'static', interpreter: '' }],
    ['a loader', { interpreter: '/lib/ld.so' }, { linkage: 'dynamic', interpreter: '/lib/ld.so' }],
    ['a library and no loader', { needed: true }, { linkage: 'dynamic', interpreter: '' }],
    ['the other byte order', { littleEndian: false, needed: true }, { linkage: 'dynamic', interpreter: '' }],
    [
      'a dynamic section among the first bytes',
      { dynamicAt: 1024, needed: true },
      { linkage: 'dynamic', interpreter: '' },
    ],
  ])('%s', async (_, made, elf) => {
    const bytes = makeElf(made);
    expect(isElf(bytes)).toBe(true);
    // Also with the section cut in two by a border of pieces, at every place that there is.
    for (const size of [1, 7, 333, 20_017, 1_000_000]) expect((await facts(bytes, size)).elf).toEqual(elf);
  });

  it('is told of the program that runs this test', async () => {
    const bytes = (await readFile(process.execPath)).subarray(0, 64 * 1024 ** 2);
    expect((await facts(bytes, 65_536)).elf.interpreter).toMatch(/ld/);
  });

  it('is unknown when the headers lie', async () => {
    const lying = makeElf({});
    lying.writeBigUInt64LE(0xffff_ffff_ffff_fff0n, 32);
    expect((await facts(lying)).elf).toEqual({ linkage: 'unknown', interpreter: '' });
    const many = makeElf({});
    many.writeUInt16LE(65_535, 56);
    expect((await facts(many)).elf.linkage).toBe('unknown');
    expect(parseElfHeader(Buffer.from([0x7f, 0x45, 0x4c, 0x46]))).toBeUndefined();
  });

  it('keeps no more of a dynamic section than is sensible, whatever size it claims', async () => {
    const huge = makeElf({ needed: true });
    huge.writeBigUInt64LE(2n ** 60n, 64 + 32);
    expect((await facts(huge)).elf.linkage).toBe('dynamic');
  });
});

describe("Go's build information", () => {
  const modules =
    'path\texample.org/greeter\nmod\texample.org/greeter\t(devel)\t\ndep\tgolang.org/x/text\tv0.14.0\th1:x\n';
  const wanted = {
    goVersion: 'go1.24.4',
    modules: [
      { name: 'example.org/greeter', version: '(devel)' },
      { name: 'golang.org/x/text', version: 'v0.14.0' },
    ],
  };
  const info = makeGoBuildInfo('go1.24.4', modules);

  it('is found wherever the pieces end', async () => {
    const bytes = Buffer.concat([makeElf({ dynamicAt: 20_000 }), Buffer.alloc(16 * 3), info, Buffer.alloc(100)]);
    for (const size of [1, 13, 4096, 20_120, 1_000_000]) expect((await facts(bytes, size)).go).toEqual(wanted);
  });

  it('is found behind the same mark as data, and not where the mark is out of place', async () => {
    const decoy = Buffer.concat([Buffer.from('\u{ff} Go buildinf:', 'latin1'), Buffer.alloc(18)]);
    const bytes = Buffer.concat([makeElf({}), decoy, info]);
    for (const size of [1, 999, 1_000_000]) expect((await facts(bytes, size)).go).toEqual(wanted);
    expect((await facts(Buffer.concat([makeElf({}), Buffer.alloc(1), info]))).go).toBeUndefined();
  });

  it.each([10, 33, 60, info.byteLength - 1])('cut off after %i bytes is none, or the version alone', async (length) => {
    const { go } = await facts(Buffer.concat([makeElf({}), info.subarray(0, length)]));
    expect(go?.modules ?? []).toEqual([]);
  });
});
