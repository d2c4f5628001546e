import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeImage, makeTar } from '../../tests/helpers/archives.ts';
import { createArchiveImageReader } from './archive-image-reader.ts';
import type { ImageSource } from './archive-image-reader.ts';
import { defaultCaps } from './caps.ts';
import { LayerFiles } from './layer-files.ts';
import { LayerKnowledge } from './layer-memory.ts';
import type { ParsedLayer } from './layer.ts';
import { untar } from './untar.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-layers-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** An engine that tells the configuration and leaves layers out, and what it was asked for. */
async function makeSource(layers: readonly Buffer[]): Promise<ImageSource & { readonly asked: (readonly string[])[] }> {
  const archive = await makeImage({ layers });
  let config = '';
  await untar(Readable.from([archive]), async ({ body }) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    if (text.startsWith('{"architecture"')) config = text;
  });
  const asked: (readonly string[])[] = [];
  return {
    asked,
    resolve: () => Promise.resolve({ id: `sha256:${sha256(config)}`, config }),
    save: async (_id, _signal, known = []) => {
      asked.push(known);
      const left = layers.filter((layer) => !known.includes(`sha256:${sha256(layer)}`));
      return Readable.from([
        await makeTar([
          ...left.map((layer) => [`blobs/sha256/${sha256(layer)}`, layer] as const),
          ['manifest.json', '[]'],
        ]),
      ]);
    },
  };
}

const large = (): Promise<Buffer> => makeTar([['large', Buffer.alloc(5 * 1024 ** 2, 'x')]]);
const small = (text: string): Promise<Buffer> => makeTar([['small', text]]);

describe('a reader whose source tells the configuration', () => {
  it('asks only for the layers that nobody has read', async () => {
    const knowledge = new LayerKnowledge();
    const base = await large();
    const first = await makeSource([base, await small('1')]);
    await createArchiveImageReader(first, defaultCaps, knowledge).read('one');
    const top = await small('two');
    const second = await makeSource([base, top]);
    const image = await createArchiveImageReader(second, defaultCaps, knowledge).read('two');
    expect(first.asked).toEqual([[]]);
    expect(second.asked).toEqual([[`sha256:${sha256(base)}`]]);
    expect(image.sizeBytes).toBe(5 * 1024 ** 2 + 3);
    expect(image.layers[1]).toMatchObject({ digest: `sha256:${sha256(top)}`, createdBy: 'STEP 1' });

    const third = await makeSource([base]);
    expect((await createArchiveImageReader(third, defaultCaps, knowledge).read('three')).layers).toHaveLength(1);
    expect(third.asked).toEqual([]);
  });

  it('does not believe a configuration that is not what the id says', async () => {
    const layer = await small('1');
    const source = await makeSource([layer]);
    const archive = await makeImage({ layers: [layer], config: { User: 'honest' } });
    const lying: ImageSource = {
      resolve: async (ref) => ({ ...(await source.resolve(ref)), id: `sha256:${'0'.repeat(64)}` }),
      save: () => Promise.resolve(Readable.from([archive])),
    };
    expect((await createArchiveImageReader(lying).read('x')).config.user).toBe('honest');
  });

  it('says so when a layer is left out that it did not name', async () => {
    const source = await makeSource([await small('1')]);
    const silent: ImageSource = {
      ...source,
      save: async () => Readable.from([await makeTar([['manifest.json', '[]']])]),
    };
    await expect(createArchiveImageReader(silent).read('x')).rejects.toMatchObject({ code: 'image_unreadable' });
  });

  it('counts layers that were read before against the caps', async () => {
    const layer = await small('1');
    const source = await makeSource([layer, layer, layer]);
    const reader = createArchiveImageReader(source, { ...defaultCaps, entries: 2 });
    await expect(reader.read('x')).rejects.toMatchObject({ code: 'too_large' });
  });

  it('reads a layer once for all who want it at the same time', async () => {
    const knowledge = new LayerKnowledge();
    const base = await large();
    const sources = await Promise.all([1, 2, 3].map(async (each) => makeSource([base, await small(String(each))])));
    const all = await Promise.all(
      sources.map((source) => createArchiveImageReader(source, defaultCaps, knowledge).read('x')),
    );
    expect(all.map(({ layers }) => layers.length)).toEqual([2, 2, 2]);
    const asked = sources.flatMap((source) => source.asked);
    expect(asked.filter((known) => known.length === 0)).toHaveLength(1);
    expect(asked).toHaveLength(3);
  });
});

describe('what is known on disk', () => {
  it('is taken up by the next server, for large layers and for searches', async () => {
    const layers = [await large()];
    const first = await makeSource(layers);
    const reader = createArchiveImageReader(first, defaultCaps, new LayerKnowledge(new LayerFiles(folder)));
    const before = await reader.read('x');
    await reader.search('x', ['xxxx']);
    const second = await makeSource(layers);
    const anew = createArchiveImageReader(second, defaultCaps, new LayerKnowledge(new LayerFiles(folder)));
    expect(await anew.read('x')).toEqual(before);
    expect(await anew.search('x', ['xxxx'])).toMatchObject([{ path: 'large' }]);
    expect(second.asked).toEqual([]);
    expect(await anew.search('x', ['yyyy'])).toEqual([]);
    expect(second.asked).toEqual([[]]);
  });

  it('counts for nothing when it is damaged, or of other sources', async () => {
    const files = new LayerFiles(folder);
    await files.set('layer', 'a', new Map([['b', 1]]));
    expect(await files.get('layer', 'a')).toEqual(new Map([['b', 1]]));
    expect(await files.get('other', 'a')).toBeUndefined();
    expect(await new LayerFiles(folder, undefined, 'other').get('layer', 'a')).toBeUndefined();
    for (const name of readdirSync(folder)) truncateSync(join(folder, name), 10);
    expect(await files.get('layer', 'a')).toBeUndefined();
  });

  it('is thrown away past the limit, what was not used for longest first', async () => {
    const bytes = (): Buffer => randomBytes(200);
    const files = new LayerFiles(folder, 800);
    for (const name of ['a', 'b', 'c']) await files.set('layer', name, bytes());
    await files.get('layer', 'a');
    for (const name of ['d', 'e', 'f', 'g']) await files.set('layer', name, bytes());
    expect(await files.get('layer', 'g')).toBeDefined();
    expect(await files.get('layer', 'b')).toBeUndefined();
  });
});

describe('what is remembered', () => {
  const entry = { type: 'file', sizeBytes: 1, mode: 0, uid: 0, gid: 0 } as const;
  const empty: ParsedLayer = {
    sizeBytes: 0,
    pathNames: 0,
    entries: [],
    whiteouts: [],
    opaque: [],
    text: new Map(),
    packages: [],
    matches: [],
  };
  const package_ = { system: 'dpkg', name: 'x', version: '1', path: 'var/lib/dpkg/status' } as const;
  const mebibyte = 'x'.repeat(1024 ** 2);

  it.each<[string, ParsedLayer, number]>([
    ['entries', { ...empty, entries: Array.from({ length: 40_000 }, () => ({ ...entry, path: 'x' })) }, 10],
    ['long paths', { ...empty, entries: [{ ...entry, path: mebibyte.repeat(10) }] }, 10],
    ['links', { ...empty, entries: [{ ...entry, path: 'x', linkTarget: mebibyte.repeat(10) }] }, 10],
    ['deletions', { ...empty, whiteouts: Array.from({ length: 40_000 }, () => 'x') }, 10],
    ['kept texts', { ...empty, text: new Map([['etc/passwd', mebibyte.repeat(10)]]) }, 10],
    ['packages', { ...empty, packages: Array.from({ length: 40_000 }, () => package_) }, 10],
  ])('has a limit that counts %s', async (_, layer, most) => {
    const { layers } = new LayerKnowledge();
    for (let index = 0; index < 2 * most; index += 1) await layers.set(String(index), layer, 0);
    expect(layers.snapshot().size).toBeLessThanOrEqual(most);
    expect(layers.snapshot().size).toBeGreaterThan(most / 2);
  });

  it('of a search is little, whatever paths it has found', async () => {
    const matches = new LayerKnowledge().matches(['x']);
    const found = Array.from({ length: 100 }, () => ({ needle: 0, path: 'x'.repeat(4096) }));
    for (let index = 0; index < 100; index += 1) await matches.set(String(index), found, 0);
    expect(matches.snapshot().size).toBeLessThan(20);
  });
});
