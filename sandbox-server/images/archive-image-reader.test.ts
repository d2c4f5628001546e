import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeImage, makeTar } from '../../tests/helpers/archives.ts';
import type { MadeImage } from '../../tests/helpers/archives.ts';
import { createArchiveImageReader } from './archive-image-reader.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { ImageContents } from './image-reader.ts';
import { readInWorker } from './read-in-worker.ts';

const readBytes = (archive: Buffer, caps: Partial<ImageCaps> = {}): Promise<ImageContents> =>
  createArchiveImageReader(
    {
      resolve: () => Promise.resolve({ id: 'sha256:1' }),
      // In odd pieces, as a network brings them.
      save: () => Promise.resolve(Readable.from(pieces(archive, 9973))),
    },
    { ...defaultCaps, ...caps },
  ).read('greeter');

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

const read = async (image: MadeImage, caps?: Partial<ImageCaps>): Promise<ImageContents> =>
  readBytes(await makeImage(image), caps);

const passwd = 'root:x:0:0::/root:/bin/sh\nnonroot:x:65532:65532::/home:/sbin/nologin\n';

describe.each(['oci', 'classic'] as const)('an archive of the %s layout', (layout) => {
  it.each([false, true])('gives layers, sizes and configuration (compressed: %s)', async (gzip) => {
    const layers = [
      await makeTar([
        ['etc/', null],
        ['etc/passwd', passwd],
      ]),
      await makeTar([['greeter', 'x'.repeat(5000)]]),
    ];
    const image = await read({
      layers,
      layout,
      gzip,
      config: { User: 'nonroot', Entrypoint: ['/greeter'], ExposedPorts: { '8080/tcp': {} } },
    });
    expect(image.sizeBytes).toBe(passwd.length + 5000);
    expect(image.layers.map((layer) => layer.createdBy)).toEqual(['STEP 0', 'STEP 1']);
    expect(image.layers[1]?.entries).toMatchObject([{ path: 'greeter', type: 'file', sizeBytes: 5000 }]);
    expect(image.config).toMatchObject({
      user: 'nonroot',
      entrypoint: ['/greeter'],
      exposedPorts: ['8080/tcp'],
      cmd: [],
    });
    expect(image.text.get('etc/passwd')).toBe(passwd);
    expect(image.merged.get('greeter')?.layer).toBe(1);
  });

  it('reads an empty layer and one that occurs twice', async () => {
    const empty = Buffer.alloc(1024);
    const image = await read({ layers: [empty, await makeTar([['a', '1']]), empty], layout });
    expect(image.layers.map((layer) => layer.entries.length)).toEqual([0, 1, 0]);
  });
});

it('follows the link by which older engines store a layer that occurs twice', async () => {
  const layer = await makeTar([['a', '1']]);
  const config = JSON.stringify({ rootfs: { diff_ids: ['sha256:1', 'sha256:1'] } });
  const archive = await makeTar([
    ['one/layer.tar', layer],
    ['two/layer.tar', { type: 'symlink', linkname: '../one/layer.tar' }],
    ['c.json', config],
    ['manifest.json', JSON.stringify([{ Config: 'c.json', Layers: ['one/layer.tar', 'two/layer.tar'] }])],
  ]);
  expect((await readBytes(archive)).sizeBytes).toBe(2);
});

it('reads an image anew only when its id changes', async () => {
  const archive = await makeImage({ layers: [await makeTar([['a', '1']])] });
  let id = 'sha256:1';
  let saves = 0;
  const reader = createArchiveImageReader({
    resolve: () => Promise.resolve({ id }),
    save: () => {
      saves += 1;
      return Promise.resolve(Readable.from(pieces(archive, 65_536)));
    },
  });
  await Promise.all([reader.read('greeter'), reader.read('greeter')]);
  await reader.read('greeter:other');
  expect(saves).toBe(1);
  id = 'sha256:2';
  expect((await reader.read('greeter')).layers[0]?.entries).toHaveLength(1);
  expect(saves).toBe(2);
});

it('reads on for one caller when another has left', async () => {
  const archive = await makeImage({ layers: [await makeTar([['a', '1']])] });
  const reader = createArchiveImageReader({
    resolve: () => Promise.resolve({ id: 'sha256:1' }),
    save: () => Promise.resolve(Readable.from(pieces(archive, 512))),
  });
  const leaving = new AbortController();
  const first = reader.read('greeter', leaving.signal);
  const second = reader.read('greeter');
  leaving.abort();
  await expect(first).rejects.toThrow(/abort/);
  expect((await second).layers).toHaveLength(1);
});

describe('a hostile or broken archive', () => {
  const refused = async (
    archive: Buffer | Promise<Buffer>,
    code: string,
    message: RegExp,
    caps?: Partial<ImageCaps>,
  ): Promise<void> => {
    await expect(readBytes(await archive, caps)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  };

  it('is refused when it unpacks to far more than it holds', async () => {
    const bomb = gzipSync(await makeTar([['zeros', '\0'.repeat(30 * 1024 ** 2)]]));
    await refused(makeImage({ layers: [bomb] }), 'too_large', /unpacks to far more/);
  });

  it.each<[string, Partial<ImageCaps>]>([
    ['archiveBytes', { archiveBytes: 3000 }],
    ['layerBytes', { layerBytes: 2000 }],
    ['layers', { layers: 1 }],
    ['entries', { entries: 2 }],
    ['pathBytes', { pathBytes: 10 }],
    ['pathDepth', { pathDepth: 3 }],
    ['allPathBytes', { allPathBytes: 30 }],
    ['documents', { documents: 1 }],
  ])('is refused past the cap %s', async (_, caps) => {
    const layers = [
      await makeTar([
        ['a', '1'],
        ['deep/er/than/that', '2'],
        ['a-long-name-indeed', '3'],
      ]),
      await makeTar([['b', '1']]),
    ];
    await refused(makeImage({ layers }), 'too_large', /./, caps);
  });

  it('is refused when reading it takes too much memory, and this process lives', { timeout: 30_000 }, async () => {
    const many = await makeTar(
      Array.from({ length: 60_000 }, (_, index) => [`folder/${String(index).padEnd(90, 'x')}`, ''] as const),
    );
    await refused(makeImage({ layers: [many] }), 'too_large', /memory/, { heapMebibytes: 8 });
  });

  it('is closed where the caller has gone before it is read', async () => {
    const source = new Readable({ read: () => undefined });
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(readInWorker(source, { caps: defaultCaps, known: new Set() }, gone)).rejects.toThrow('gone');
    expect(source.destroyed).toBe(true);
  });

  it('is refused when reading it takes too long', async () => {
    const reader = createArchiveImageReader(
      {
        resolve: () => Promise.resolve({ id: 'sha256:1' }),
        save: () => Promise.resolve(new Readable({ read: () => undefined })),
      },
      { ...defaultCaps, timeoutMs: 300 },
    );
    await expect(reader.read('greeter')).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringMatching(/longer/) as string,
    });
  });

  it.each([
    ['the machine was busy meanwhile', 'host_busy', true],
    ['the machine was idle', 'too_large', false],
    ['nobody can say', 'too_large', null],
  ])('is told from a busy machine when time runs out: %s', async (_, code, busy) => {
    const source = new Readable({ read: () => undefined });
    const start = { caps: { ...defaultCaps, timeoutMs: 100 }, known: new Set<string>() };
    await expect(readInWorker(source, start, undefined, () => () => busy)).rejects.toMatchObject({ code });
  });

  it('is refused when it is cut off', async () => {
    const archive = await makeImage({ layers: [await makeTar([['a', 'x'.repeat(20_000)]])] });
    await refused(archive.subarray(0, 9000), 'image_unreadable', /./);
  });

  it('is refused when a compressed layer is damaged', async () => {
    const good = gzipSync(await makeTar([['a', 'x'.repeat(20_000)]]));
    const damaged = Buffer.concat([good.subarray(0, 40), Buffer.alloc(40, 7), good.subarray(80)]);
    await refused(makeImage({ layers: [damaged] }), 'image_unreadable', /damaged/);
  });

  it('is refused when a layer lies about the size of a file', async () => {
    const layer = await makeTar([['a', 'x'.repeat(600)]]);
    const lying = Buffer.from(layer);
    lying.write('00077777777', 124, 'latin1');
    const sum = lying.subarray(0, 512).reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
    lying.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await refused(makeImage({ layers: [lying] }), 'image_unreadable', /bad archive/);
  });

  it.each([
    ['no manifest', { manifest: '' }],
    ['a manifest that is not JSON', { manifest: '[{' }],
    ['a manifest of another shape', { manifest: '[{"Config": 1}]' }],
    ['an empty manifest', { manifest: '[]' }],
    [
      'a manifest that names a layer that is not there',
      { manifest: '[{"Config": "config.json", "Layers": ["nope"]}]' },
    ],
    ['a configuration of another shape', { config: '{"rootfs": []}' }],
  ])('is refused with %s', async (_, documents) => {
    const layers = [await makeTar([['a', '1']])];
    await refused(makeImage({ layers, layout: 'classic', documents }), 'image_unreadable', /./);
  });

  it('is refused when it is no archive at all', async () => {
    await refused(Buffer.alloc(4096, 'no tar '), 'image_unreadable', /./);
    await refused(Buffer.alloc(0), 'image_unreadable', /manifest/);
  });

  it('keeps names that lead out of the image inside of it', async () => {
    const layer = await makeTar([
      ['../../etc/passwd', passwd],
      ['/abs//./name', 'x'],
      ['./dot', 'y'],
    ]);
    const image = await read({ layers: [layer] });
    expect([...image.merged.keys()].sort()).toEqual(['abs/name', 'dot', 'etc/passwd']);
  });
});

it('says when there is no such image, and passes on why an archive could not be had', async () => {
  const none = createArchiveImageReader({
    resolve: () => Promise.resolve(null),
    save: () => Promise.reject(new Error('unused')),
  });
  await expect(none.read('nope')).rejects.toMatchObject({ code: 'image_not_found' });
  const gone = createArchiveImageReader({
    resolve: () => Promise.resolve({ id: 'sha256:1' }),
    save: () =>
      Promise.resolve(
        new Readable({
          read() {
            this.destroy(new Error('the sandbox has gone'));
          },
        }),
      ),
  });
  await expect(gone.read('greeter')).rejects.toThrow('the sandbox has gone');
});
